package sandbox

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestParseFaults(t *testing.T) {
	good := map[string]string{
		"":                          "",
		" , ":                       "",
		"429=0.1":                   "429=0.1",
		" slow = 0.05:2s , html=.5": "slow=0.05,html=0.5",
		"slow=1:250ms":              "slow=1:250ms",
		"429=0.5,500=0.5":           "429=0.5,500=0.5",
		"cut=0.1,cut=0":             "error: twice",
		"429=0.6,500=0.5":           "error: add up to 1.1",
		"nope=0.1":                  "error: unknown; there are 429, 429-date",
		"429":                       "error: like 429=0.1",
		"429=":                      "error: no number from 0 to 1",
		"429=-1":                    "error: no number from 0 to 1",
		"429=1.5":                   "error: no number from 0 to 1",
		"429=NaN":                   "error: no number from 0 to 1",
		"429=Inf":                   "error: no number from 0 to 1",
		"html=0.1:2s":               "error: has no time",
		"slow=0.1:soon":             "error: write it like 2s",
		"slow=0.1:-1s":              "error: write it like 2s",
		"=":                         "error: unknown",
	}
	for text, want := range good {
		f, err := ParseFaults(text)
		if wantErr, ok := strings.CutPrefix(want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), wantErr) {
				t.Errorf("ParseFaults(%q): %v; want %q", text, err, wantErr)
			}
			continue
		}
		if err != nil || f.String() != want {
			t.Errorf("ParseFaults(%q) = %q, %v; want %q", text, f, err, want)
		}
	}
}

func FuzzParseFaults(f *testing.F) {
	for _, s := range []string{"429=0.1", "slow=0.05:2s,no-id=0.1", "", "x", "cut=1e-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ParseFaults(text)
		if err != nil {
			return
		}
		again, err := ParseFaults(faults.String())
		if err != nil || again.String() != faults.String() {
			t.Errorf("%q reads as %q, and that as %q (%v)", text, faults, again, err)
		}
	})
}

func TestFaultsArePickedByShare(t *testing.T) {
	f, err := ParseFaults("429=0.2,slow=0.3:1s,cut=0")
	if err != nil {
		t.Fatal(err)
	}
	random, seen := rand.New(rand.NewPCG(1, 2)), map[string]int{}
	const draws = 100_000
	for range draws {
		one, ok := f.pick(random)
		if ok != (one.kind.Name != "") {
			t.Fatalf("picked %q, %v", one.kind.Name, ok)
		}
		if one.kind.Name == "slow" && one.wait != time.Second {
			t.Fatalf("waits %s", one.wait)
		}
		seen[one.kind.Name]++
	}
	for name, share := range map[string]float64{"429": 0.2, "slow": 0.3, "": 0.5} {
		if got := float64(seen[name]) / draws; got < share-0.01 || got > share+0.01 {
			t.Errorf("fault %q: share %.3f, want %.1f", name, got, share)
		}
	}
	if seen["cut"] != 0 {
		t.Errorf("a share of zero was picked %d times", seen["cut"])
	}
}

func TestFaultTableIsWhole(t *testing.T) {
	help, seen := FaultHelp(), map[string]bool{}
	for _, k := range FaultKinds() {
		if seen[k.Name] || k.Does == "" || strings.HasSuffix(k.Does, ".") {
			t.Errorf("fault %q: twice, or ill described: %q", k.Name, k.Does)
		}
		seen[k.Name] = true
		if k.act == nil && k.status < 400 {
			t.Errorf("fault %q does nothing", k.Name)
		}
		if !strings.Contains(help, "  "+k.Name+" ") || !strings.Contains(help, k.Does) {
			t.Errorf("fault %q is not in the help:\n%s", k.Name, help)
		}
		if _, err := ParseFaults(k.Name + "=1"); err != nil {
			t.Error(err)
		}
	}
}
