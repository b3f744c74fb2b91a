package config

import (
	"math"
	"time"

	"worqcron/worqhat"
)

// key is one line of the table that everything about a key comes from: what the
// reader accepts, its default, and its line in docs/configuration.md.
type key struct {
	name     string
	kind     kind
	standard string // the default as TOML text; "" if there is none or words say it
	words    string // the default where it is not one value
	variable string // environment variable that stands in for an absent key
	required bool
	own      bool // has no place in [defaults]
	doc      string
}

// section is one table of the file.
type section struct {
	name  string // schedules.NAME stands for each schedule
	doc   string
	keys  []key
	below []string // tables inside it that are sections themselves
	later []string // keys of the design that do not exist yet
}

const (
	worqhatSection   = "worqhat"
	ledgerSection    = "ledger"
	dashboardSection = "dashboard"
	defaultsSection  = "defaults"
	calendarSection  = "calendars.NAME"
	scheduleSection  = "schedules.NAME"
	sourceSection    = "schedules.NAME.source"
	chunkSection     = "schedules.NAME.chunk"
	deliverySection  = "schedules.NAME.delivery"
	notifySection    = "notify"
	expectSection    = "schedules.NAME.expect"
)

// settings is where the keys of a section put their values: the whole
// configuration, and the schedule that is being read.
type settings struct {
	config    *Config
	schedule  *Schedule
	dir       string // the configuration file's folder, absolute
	gap       string
	fold      string
	payload   *node
	recordsAs string

	at, start, end *node
	blackout       []*node
	calendar       *calendar                 // the one that is being read
	calendars      map[string]calendar       // all of them
	zones          map[string]*time.Location // those of the file, each loaded once
}

// tableOfKeys lists the sections in the order of the documentation.
func tableOfKeys() []section {
	return []section{
		worqhatKeys(), ledgerKeys(), dashboardKeys(), notifyKeys(), calendarKeys(),
		scheduleKeys(), sourceKeys(), chunkKeys(), deliveryKeys(), expectKeys(),
	}
}

// topLevel names the tables that a file may have.
func topLevel() []string {
	return []string{worqhatSection, ledgerSection, dashboardSection, notifySection, "calendars", defaultsSection, "schedules"}
}

// maxTimeout bounds every wait for one answer.
const maxTimeout = time.Hour

func worqhatKeys() section {
	return section{
		name:  worqhatSection,
		doc:   "Where WorqHat is, and how fast it may be called. One key and one rate serve the whole process.",
		later: []string{"proxy", "ca_file"},
		keys: []key{
			{
				name: "base_url", standard: `"https://api.worqhat.com"`, variable: "WORQHAT_BASE_URL",
				kind: textKind("URL", `"https://api.worqhat.com"`, setBaseURL),
				doc:  "The API's address: https, or http to the machine itself (the sandbox). The environment variable `WORQHAT_BASE_URL` takes the default's place if it is set.",
			},
			{
				name: "api_key_env", standard: `"` + worqhat.DefaultKeyEnv + `"`,
				kind: textKind("variable name", `"WORQHAT_API_KEY"`, setKeyVariable),
				doc:  "The environment variable that holds the API key. The key itself never stands in this file.",
			},
			{
				name: "api_key_file", words: "none",
				kind: textKind("path", `"/etc/worqcron/key"`, setKeyFile),
				doc:  "A file that holds the API key; it wins over `api_key_env`. Nobody but its owner may have any right to it (mode 0600 or less). A relative path starts at the configuration file's folder. A systemd credential `" + worqhat.CredentialName + "` wins over both.",
			},
			{
				name: "rate", standard: `"50/min"`,
				kind: rateKind(func(s *settings) *float64 { return &s.config.WorqHat.Rate }),
				doc:  "Triggers a second (`\"10/s\"`), minute (`\"50/min\"`) or hour (`\"600/h\"`), over all schedules; `\"off\"` is no limit.",
			},
			{
				name: "burst", standard: "1",
				kind: countKind(func(s *settings) *int { return &s.config.WorqHat.Burst }, 1, 10_000),
				doc:  "Triggers that may go at once after a pause; more than 1 lets a minute exceed the rate by so many.",
			},
			{
				name: "max_in_flight", standard: "4",
				kind: countKind(func(s *settings) *int { return &s.config.WorqHat.MaxInFlight }, 1, 256),
				doc:  "Triggers under way at once, over all schedules. Schedules that wait take turns.",
			},
			{
				name: "backfill_share", standard: `"50%"`,
				kind: portionKind(func(s *settings) *float64 { return &s.config.WorqHat.BackfillShare }),
				doc:  "How much of `rate` and `max_in_flight` all backfills together may have, also while nothing else is sent, so that a schedule that is due finds room; one trigger at a time they always may.",
			},
			{
				name: "adaptive", standard: "true",
				kind: flagKind(func(s *settings) *bool { return &s.config.WorqHat.Adaptive }),
				doc:  "Fewer triggers at once than `max_in_flight` while WorqHat bears fewer: being throttled, a time-out, and answers that take twice as long as usual halve their number; good answers raise it again, one by one. A flow that is slow whatever their number keeps them.",
			},
			{
				name: "timeout", standard: `"5m"`,
				kind: durationKind(func(s *settings) *time.Duration { return &s.config.WorqHat.Timeout }, time.Millisecond, maxTimeout),
				doc:  "How long one trigger may take, its answer included. An answer that comes later is lost: the chunk becomes *unknown*.",
			},
		},
	}
}

func ledgerKeys() section {
	return section{
		name: ledgerSection,
		doc:  "The database that knows what was sent and what became of it.",
		keys: []key{
			{
				name: "path", standard: `"worqcron.db"`,
				kind: textKind("path", `"worqcron.db"`, setLedgerPath),
				doc:  "The database file, on a local disk. A relative path starts at `$STATE_DIRECTORY` if that is set (systemd sets it), else at the configuration file's folder.",
			},
			{
				name: "keep_bodies", standard: `"2GB"`,
				kind: sizeKind(func(s *settings) *int64 { return &s.config.Ledger.KeepBodies }, 0, math.MaxInt64/1e9*1e9),
				doc:  "How much disk the bodies of unknown and failed chunks may take, so that they can still be sent when their source has changed. 0 keeps none.",
			},
			{
				name: "retain", standard: `"400d"`,
				kind: durationOrOffKind(func(s *settings) *time.Duration { return &s.config.Ledger.Retain }, time.Second, 36_500*day),
				doc:  "How long a run stays in the ledger after its end; `\"off\"`: for ever. The daemon removes older ones once a day, with all that was sent and answered, while nothing is planned or delivered. Runs with something planned or unknown stay, and so does each schedule's latest one; that a file was delivered is never forgotten.",
			},
		},
	}
}

func dashboardKeys() section {
	return section{
		name:  dashboardSection,
		doc:   "The web page. It does not exist yet, so only its absence can be configured.",
		later: []string{"token_file", "tls_cert", "tls_key"},
		keys: []key{{
			name: "listen", standard: `""`,
			kind: textKind("string", `""`, func(_ *settings, text string) *fault {
				if text != "" {
					return &fault{msg: "a dashboard is not supported yet", hint: `write listen = "", or leave it out`}
				}
				return nil
			}),
			doc: "`\"\"`: no dashboard.",
		}},
	}
}
