package main

import (
	"encoding/csv"
	"strings"
	"testing"
)

func TestFormulaCells(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "",
		"orders.csv":           "orders.csv",
		"a=b":                  "a=b",
		"=1+1":                 "'=1+1",
		"+1":                   "'+1",
		"-1":                   "'-1",
		"@SUM(A1)":             "'@SUM(A1)",
		"\tx":                  "'\tx",
		"\nx":                  "'\nx",
		"  =1":                 "'  =1",
		"\u00a0=1":             "'\u00a0=1",
		"\ufeff=1":             "'\ufeff=1",
		"\u200b\u2060-1":       "'\u200b\u2060-1",
		"＝1":                   "'＝1",
		"＋1":                   "'＋1",
		"－1":                   "'－1",
		"＠x":                   "'＠x",
		`=cmd|' /C calc'!"A0"`: `'=cmd|' /C calc'!"A0"`,
		`say "hi", now`:        `say "hi", now`,
		"two\nlines":           "two\nlines",
	} {
		line := append(appendCell(nil, text), ",end\n"...)
		got, err := csv.NewReader(strings.NewReader(string(line))).Read()
		if err != nil || len(got) != 2 || got[0] != want {
			t.Errorf("%q: got %q (%v), want %q; the line is %s", text, got, err, want, line)
		}
	}
}
