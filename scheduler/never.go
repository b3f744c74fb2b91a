package scheduler

import "time"

// Never makes the Spec of a schedule that no time makes due, such as one that files
// do when they arrive. It has a zone and no slots. by says what does, in a word: it
// is what String and Fingerprint give.
func Never(by string, zone *time.Location) Spec {
	return Spec{expr: by, zone: zone, gap: GapRun, fold: FoldFirst, start: maxSecond + 1, end: minSecond}
}

// IsNever says whether the Spec came from Never.
func (s Spec) IsNever() bool { return s.start > maxSecond }
