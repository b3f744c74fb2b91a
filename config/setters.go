package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/uuid"

	"worqcron/expression"
	"worqcron/scheduler"
	"worqcron/source"
)

// setBaseURL asks for https, except to the machine itself: the API key travels
// in each request's header.
func setBaseURL(s *settings, text string) *fault {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return &fault{msg: fmt.Sprintf("%q is no URL", shorten(text)), hint: `for example "https://api.worqhat.com"`}
	case u.User != nil:
		return &fault{msg: "a URL with a user or password in it", hint: "the API key comes from api_key_env or api_key_file"}
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return &fault{msg: fmt.Sprintf("%q is no URL of a web server", shorten(text)), hint: `for example "https://api.worqhat.com"`}
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return &fault{msg: "a URL with a query or fragment", hint: "leave out what follows ? or #"}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return &fault{msg: fmt.Sprintf("http to %s would send the API key in the clear", u.Hostname()), hint: "write https:// (http is for localhost alone)"}
	}
	s.config.WorqHat.BaseURL = strings.TrimRight(text, "/")
	return nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.IsLoopback()
}

// setKeyVariable never repeats the value: somebody may have put the key there.
func setKeyVariable(s *settings, text string) *fault {
	valid := text != "" && !strings.HasPrefix(text, "wh_")
	for i, c := range []byte(text) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		valid = valid && (letter || i > 0 && c >= '0' && c <= '9')
	}
	if !valid {
		return &fault{msg: "this is no name of an environment variable", hint: `the name alone, such as "WORQHAT_API_KEY"; the key itself never goes into this file`}
	}
	s.config.WorqHat.KeyEnv = text
	return nil
}

// setKeyFile does not repeat the value either.
func setKeyFile(s *settings, text string) *fault {
	if strings.HasPrefix(text, "wh_") {
		return &fault{msg: "this is no path", hint: "the name of a file that holds the key; the key itself never goes into this file"}
	}
	if wrong := checkPath(text); wrong != nil {
		return wrong
	}
	s.config.WorqHat.KeyFile = absolute(s.dir, text)
	return nil
}

func setLedgerPath(s *settings, text string) *fault {
	if wrong := checkPath(text); wrong != nil {
		return wrong
	}
	dir := s.dir
	if state, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(state) {
		dir = state // systemd.exec(5): several are separated by colons
	}
	s.config.Ledger.Path = absolute(dir, text)
	return nil
}

func checkPath(text string) *fault {
	switch {
	case text == "":
		return &fault{msg: "an empty path", hint: "name a file"}
	case strings.ContainsRune(text, 0):
		return &fault{msg: "a path with a NUL character", hint: "name a file"}
	case strings.HasPrefix(text, "~/"):
		return &fault{msg: "~ is not replaced by a home folder", hint: "write the whole path"}
	}
	return nil
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// globCharacters have a meaning in a glob; a \ takes it away.
const globCharacters = `*?[{\`

// setSourcePath makes the path absolute. What is special in the folder's own
// name is escaped, since a source's path is always read as a glob.
func setSourcePath(s *settings, text string) *fault {
	if wrong := checkPath(text); wrong != nil {
		return wrong
	}
	if wrong := checkPathExpressions(text); wrong != nil {
		return wrong
	}
	whole := text
	text = source.PathPattern(text)
	if !doublestar.ValidatePattern(text) {
		return &fault{msg: fmt.Sprintf("%q is no valid glob", shorten(text)), hint: `close each [ and {; a \ before a character takes away its meaning`}
	}
	if _, pattern := doublestar.SplitPattern(text); strings.ContainsAny(pattern, globCharacters) && hasParent(pattern) {
		return &fault{msg: `".." behind a wildcard leads out of the folder`, hint: "put .. before the first wildcard"}
	}
	path := whole
	if text != source.Stdin && !filepath.IsAbs(text) {
		path = escapeGlob(s.dir) + "/" + whole
	}
	if whole == text {
		path = filepath.Clean(path) // an expression stays as it is
	}
	s.schedule.Job.Source.Path = path
	// The default of the key empty, which is read after this one.
	s.schedule.Job.Records.Empty = "fail"
	if strings.ContainsAny(source.WithoutExpressions(whole), globCharacters) {
		s.schedule.Job.Records.Empty = "skip"
	}
	return nil
}

// checkPathExpressions places what is wrong with a path's expressions, also where
// no run could read the files.
func checkPathExpressions(text string) *fault {
	o := source.Options{Path: text}
	if !o.HasExpressions() {
		return nil
	}
	err := source.CheckPath(text)
	if err == nil {
		return nil
	}
	var wrong *expression.Error
	if !errors.As(err, &wrong) {
		return &fault{msg: err.Error()}
	}
	return &fault{msg: wrong.Msg, hint: wrong.Hint, inside: true, at: wrong.Offset}
}

func hasParent(pattern string) bool {
	return strings.Contains("/"+pattern+"/", "/../")
}

func escapeGlob(dir string) string {
	var b strings.Builder
	for _, c := range []byte(dir) {
		if strings.IndexByte(globCharacters, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func setEncoding(s *settings, text string) *fault {
	name, known := source.KnownEncoding(text)
	if !known {
		return &fault{msg: fmt.Sprintf("%q is not known", shorten(text)), hint: `for example "utf-8", "utf-16le", "windows-1252" or "iso-8859-15"`}
	}
	s.schedule.Job.Source.Encoding = name
	return nil
}

// setPointer holds the syntax of RFC 6901, section 3.
func setPointer(s *settings, text string) *fault {
	const hint = `steps with a / before each: "/data/items"; in a name, ~1 is a / and ~0 a ~`
	if text != "" && text[0] != '/' {
		return &fault{msg: fmt.Sprintf("%q is no JSON pointer", shorten(text)), hint: hint}
	}
	for i := range len(text) {
		if text[i] == '~' && (i+1 == len(text) || text[i+1] != '0' && text[i+1] != '1') {
			return &fault{msg: "a ~ without 0 or 1 behind it", hint: hint, inside: true, at: i}
		}
	}
	s.schedule.Job.Source.Pointer = text
	return nil
}

// setComment is compared with the quote and the delimiter in finishCSV.
func setComment(s *settings, text string) *fault {
	switch {
	case text == "":
		return &fault{msg: "an empty text begins each line", hint: `for example "#", or leave it out`}
	case strings.ContainsAny(text, "\r\n"):
		return &fault{msg: "a line cannot begin with a line end", hint: `for example "#"`}
	}
	s.schedule.Job.Source.Comment = text
	return nil
}

func setWhere(s *settings, text string) *fault {
	if strings.TrimSpace(text) == "" {
		return &fault{msg: "an empty expression", hint: "leave it out to send all records"}
	}
	s.schedule.Job.Source.Where = text
	return nil
}

func setTimezone(s *settings, text string) *fault {
	zone, err := s.zone(text)
	if err != nil {
		var unknown *scheduler.ZoneError
		if errors.As(err, &unknown) {
			return &fault{msg: fmt.Sprintf("%q: %s", shorten(text), unknown.Msg), hint: unknown.Hint}
		}
		return &fault{msg: err.Error()}
	}
	s.schedule.Timezone, s.schedule.Job.Zone = text, zone
	return nil
}

// zone finds a zone. Thousands of schedules share a few, and each one loaded takes
// some kilobytes.
func (s *settings) zone(name string) (*time.Location, error) {
	if zone := s.zones[name]; zone != nil {
		return zone, nil
	}
	zone, err := scheduler.LoadZone(name)
	if err == nil && s.zones != nil {
		s.zones[name] = zone
	}
	return zone, err
}

// setFlowID takes the one form that WorqHat shows; uuid alone would also take
// braces and urn:uuid:.
func setFlowID(s *settings, text string) *fault {
	if len(text) != 36 || uuid.Validate(text) != nil {
		return &fault{msg: fmt.Sprintf("%q is no flow id", shorten(text)), hint: `a UUID, such as "f825ab82-371f-40cb-9bed-b325531ead4a"; WorqHat shows it in the flow's address`}
	}
	s.schedule.Job.FlowID = text
	return nil
}

// setPayload keeps the table; it is compiled when the other keys are known.
func setPayload(s *settings, n *node) *fault {
	if n.kind != kindTable {
		return wrongType(n, "table", `payload = { report = "orders" }`)
	}
	s.payload = n
	return nil
}
