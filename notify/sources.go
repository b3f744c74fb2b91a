package notify

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Options say where the URLs of services come from. All of them count.
type Options struct {
	URLs []URL
	Env  string // variable with URLs between white space; "" for none
	File string // file with one a line; "" for none
}

// SourceError says which place of URLs is of no use.
type SourceError struct {
	Where string // the variable or the file
	Err   error
	Hint  string
	Open  bool // others can read it: the tokens have to be replaced
}

func (e *SourceError) Error() string { return fmt.Sprintf("no URLs from %s: %v", e.Where, e.Err) }
func (e *SourceError) Unwrap() error { return e.Err }

// Load makes the services. It gives those that it can, and one error for each place
// that is of no use.
func (o Options) Load() ([]*Service, []error) {
	var errs []error
	good := append([]URL{}, o.URLs...)
	add := func(where, text string) {
		fields := strings.Fields(text)
		if len(fields) == 0 {
			errs = append(errs, &SourceError{Where: where, Err: errors.New("it is not set or empty"), Hint: "set it, or leave it out of [notify]"})
		}
		for i, field := range fields {
			u := NewURL(field)
			if err := Check(u); err != nil {
				errs = append(errs, &SourceError{Where: where, Err: fmt.Errorf("URL %d: %w", i+1, err)})
				continue
			}
			good = append(good, u)
		}
	}
	if o.Env != "" {
		add("$"+o.Env, os.Getenv(o.Env))
	}
	if o.File != "" {
		if text, err := readPrivate(o.File); err != nil {
			errs = append(errs, err)
		} else {
			add(o.File, text)
		}
	}
	services, err := Services(good)
	if err != nil {
		errs = append(errs, err)
	}
	return services, errs
}

// readPrivate reads a file that nobody but its owner may have any right to. What
// follows a # is a comment.
func readPrivate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", &SourceError{Where: path, Err: err, Hint: "one URL a line, mode 0600"}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", &SourceError{Where: path, Err: fmt.Errorf("it has mode %04o: others can get at it", mode), Hint: "chmod 600 " + path, Open: true}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", &SourceError{Where: path, Err: err}
	}
	var lines []string
	for _, line := range strings.Split(string(data), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n"), nil
}
