package worqhat

import "time"

// Options say where WorqHat is and how fast it may be called. One key and one
// rate serve a whole process.
type Options struct {
	BaseURL     string        // https, or http to loopback alone; no trailing slash
	KeyEnv      string        // environment variable that holds the API key
	KeyFile     string        // file of mode 0600 or stricter that holds it; wins over KeyEnv
	Rate        float64       // triggers a second over all schedules; 0 is no limit
	Burst       int           // triggers that may go at once after a pause
	MaxInFlight int           // triggers under way at once over all schedules
	Timeout     time.Duration // for one trigger, answer included, unless a schedule says otherwise
	Adaptive    bool          // fewer than MaxInFlight while WorqHat throttles, times out or slows down

	// BackfillShare is how much of the rate and of the places all backfills
	// together may have, above 0 and up to 1; 0 is all.
	BackfillShare float64
}
