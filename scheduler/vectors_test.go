package scheduler

import "testing"

// More places than TestSlots has, each worked out by hand from the zone's rule: the
// comment says when its clock changed. Windows are in UTC and half-open.
func TestVectors(t *testing.T) {
	second, both := SpecOptions{Fold: FoldSecond}, SpecOptions{Fold: FoldBoth}
	for _, tt := range []struct {
		name, zone, expr string
		o                SpecOptions
		from, until      string
		want             []string
	}{
		// 2027-04-04 03:45 +13:45 became 02:45 +12:45, at 14:00Z the day before.
		{"Chatham goes back at 03:45", "Pacific/Chatham", "0 3 * * *", SpecOptions{}, "2027-04-02T12:00", "2027-04-05", []string{"2027-04-02T13:15", "2027-04-03T13:15", "2027-04-04T14:15"}},
		{"Chatham, second pass", "Pacific/Chatham", "0 3 * * *", second, "2027-04-02T12:00", "2027-04-05", []string{"2027-04-02T13:15", "2027-04-03T14:15", "2027-04-04T14:15"}},
		// 2027-09-26 02:45 +12:45 became 03:45 +13:45, at 14:00Z the day before.
		{"Chatham goes forward at 02:45", "Pacific/Chatham", "0 3 * * *", SpecOptions{}, "2027-09-24T12:00", "2027-09-27", []string{"2027-09-24T14:15", "2027-09-25T14:00", "2027-09-26T13:15"}},

		// Winter is the exception in the database. 2027-03-28 and 2027-10-31, at 01:00Z.
		{"Dublin, spring", "Europe/Dublin", "30 1 * * *", SpecOptions{}, "2027-03-27", "2027-03-30", []string{"2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"}},
		{"Dublin, autumn", "Europe/Dublin", "30 1 * * *", SpecOptions{}, "2027-10-30", "2027-11-02", []string{"2027-10-30T00:30", "2027-10-31T00:30", "2027-11-01T01:30"}},

		// 2011-03-27 02:00 +3 became 03:00 +4 for good; 2014-10-26 02:00 +4 became 01:00 +3 for good.
		{"Moscow 2011", "Europe/Moscow", "30 2 * * *", SpecOptions{}, "2011-03-25T12:00", "2011-03-28", []string{"2011-03-25T23:30", "2011-03-26T23:00", "2011-03-27T22:30"}},
		{"Moscow 2014", "Europe/Moscow", "30 1 * * *", SpecOptions{}, "2014-10-24T12:00", "2014-10-27", []string{"2014-10-24T21:30", "2014-10-25T21:30", "2014-10-26T22:30"}},
		{"Moscow 2014, second pass", "Europe/Moscow", "30 1 * * *", second, "2014-10-24T12:00", "2014-10-27", []string{"2014-10-24T21:30", "2014-10-25T22:30", "2014-10-26T22:30"}},

		// It had no 21 August 1993: at 12:00Z that day, -12 became +12.
		{"Kwajalein loses a day", "Pacific/Kwajalein", "0 9 * * *", SpecOptions{}, "1993-08-20T12:00", "1993-08-22T12:00", []string{"1993-08-20T21:00", "1993-08-21T12:00", "1993-08-21T21:00"}},
		{"Kwajalein, interval", "Pacific/Kwajalein", "0 */6 * * *", SpecOptions{}, "1993-08-21T01:00", "1993-08-21T20:00", []string{"1993-08-21T06:00", "1993-08-21T12:00", "1993-08-21T18:00"}},

		// 2010-11-07 00:01 -2:30 became 23:01 -3:30 of the day before, at 02:31Z.
		{"St John's repeats an evening", "America/St_Johns", "30 23 * * *", SpecOptions{}, "2010-11-06", "2010-11-08T12:00", []string{"2010-11-06T02:00", "2010-11-07T02:00", "2010-11-08T03:00"}},
		{"St John's has midnight twice", "America/St_Johns", "0 0 7 * *", both, "2010-11-06", "2010-11-09", []string{"2010-11-07T02:30", "2010-11-07T03:30"}},

		// 2016-05-01 02:30 -4:30 became 03:00 -4, at 07:00Z.
		{"Caracas goes forward half an hour", "America/Caracas", "45 2 * * *", SpecOptions{}, "2016-04-30", "2016-05-03", []string{"2016-04-30T07:15", "2016-05-01T07:00", "2016-05-02T06:45"}},
		// 2018-05-04 23:30 +8:30 became 00:00 +9 of the next day, at 15:00Z.
		{"Pyongyang loses the end of a day", "Asia/Pyongyang", "45 23 * * *", SpecOptions{}, "2018-05-03", "2018-05-06", []string{"2018-05-03T15:15", "2018-05-04T15:00", "2018-05-05T14:45"}},
		// 2021-02-01 00:00 +3 became 23:00 +2 of the day before, at 21:00Z.
		{"Juba repeats the end of a month", "Africa/Juba", "30 23 L * *", both, "2021-01-01", "2021-03-01", []string{"2021-01-31T20:30", "2021-01-31T21:30", "2021-02-28T21:30"}},
		// 2015-10-04 02:00 +11:30 became 01:30 +11, at 14:30Z the day before.
		{"Norfolk goes back half an hour", "Pacific/Norfolk", "45 1 * * *", both, "2015-10-03", "2015-10-05", []string{"2015-10-03T14:15", "2015-10-03T14:45", "2015-10-04T14:45"}},
		// Friday 2022-02-25 00:00 +2 became 01:00 +3.
		{"Amman has no midnight", "Asia/Amman", "15 0 * * 5", SpecOptions{}, "2022-02-17T12:00", "2022-03-04", []string{"2022-02-17T22:15", "2022-02-24T22:00", "2022-03-03T21:15"}},
		// 2015-11-08 04:00 +3 became 03:00 +2, two weeks after Europe; since 2016-09-07 it stays +3.
		{"Istanbul 2015", "Europe/Istanbul", "30 3 * * *", SpecOptions{}, "2015-11-07", "2015-11-10", []string{"2015-11-07T00:30", "2015-11-08T00:30", "2015-11-09T01:30"}},
		{"Istanbul 2016 stays", "Europe/Istanbul", "30 3 * * *", SpecOptions{}, "2016-10-29", "2016-11-01", []string{"2016-10-29T00:30", "2016-10-30T00:30", "2016-10-31T00:30"}},
		// 2024-10-06 00:00 -4 became 01:00 -3.
		{"Asunción has no midnight", "America/Asuncion", "0 0 * * *", SpecOptions{}, "2024-10-05", "2024-10-08", []string{"2024-10-05T04:00", "2024-10-06T04:00", "2024-10-07T03:00"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkSlots(t, mustParse(t, tt.expr, tt.zone, tt.o), tt.from, tt.until, tt.want...)
		})
	}
}
