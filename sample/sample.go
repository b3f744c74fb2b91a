// Package sample makes order records for the demo and the benchmarks: 15
// columns, the same records for the same seed. About a third of the rows have a
// comma or a quote inside a field, one in a thousand a newline, and most are
// not pure ASCII, as real exports are.
package sample

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"
)

// columns are the names of an order's fields.
var columns = [...]string{
	"order_id", "created_at", "customer", "email", "street", "city", "country", "sku", "product",
	"quantity", "unit_price", "currency", "status", "channel", "comment",
}

var (
	names    = [...]string{"Zoë Müller", "José García", "Søren Ødegård", "Łukasz Nowak", "Anne-Marie Lefèvre", "O'Brien Seán", "Müge Yılmaz", "田中 さくら", "Nguyễn Anh", "John Smith"}
	streets  = [...]string{"Königsallee", "Rue de la Paix", "Calle Alcalá", "Storgata", "ul. Świętokrzyska", "High Street", "中央通り", "İstiklal Caddesi"}
	cities   = [...]string{"Düsseldorf", "Orléans", "Málaga", "Tromsø", "Łódź", "Norwich", "東京", "İzmir"}
	lands    = [...]string{"DE", "FR", "ES", "NO", "PL", "GB", "JP", "TR"}
	products = [...]string{"Kaffeemaschine \"Primo\"", "Rain jacket, blue", "Café crème set", "Headphones", "Bücherregal", "Desk lamp", "Thé vert, 100 g", "USB-C cable 2 m", "Notebook", "Wanderschuhe"}
	states   = [...]string{"paid", "shipped", "returned", "open"}
	channels = [...]string{"web", "app", "store"}
	comments = [...]string{"", "", "", "bitte klingeln", "leave at the door", "à l'étage", "gift wrapping", "fragile ⚠"}
)

// order fills fields with the record of a number.
func order(fields *[len(columns)]string, n int64, r *rand.Rand) {
	city := r.IntN(len(cities))
	name := names[r.IntN(len(names))]
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 7 * time.Second)
	comment := comments[r.IntN(len(comments))]
	if r.IntN(1000) == 0 {
		comment = "first line\nsecond line"
	}
	*fields = [len(columns)]string{
		"A" + strconv.FormatInt(100_000_000+n, 10), at.Format(time.RFC3339), name,
		"customer" + strconv.Itoa(r.IntN(1_000_000)) + "@example.com",
		streets[r.IntN(len(streets))] + " " + strconv.Itoa(1+r.IntN(200)), cities[city], lands[city],
		"SKU-" + strconv.Itoa(10_000+r.IntN(90_000)), products[r.IntN(len(products))],
		strconv.Itoa(1 + r.IntN(12)), strconv.Itoa(1+r.IntN(500)) + "." + strconv.Itoa(10+r.IntN(90)), "EUR",
		states[r.IntN(len(states))], channels[r.IntN(len(channels))], comment,
	}
}

// CSV writes a header and orders until at least size bytes are out, and returns
// how many orders.
func CSV(w io.Writer, size int64, seed uint64) (orders int64, err error) {
	header := func(b []byte) []byte {
		for i, c := range columns {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, c...)
		}
		return append(b, '\n')
	}
	return write(w, size, seed, header, appendCSV)
}

// NDJSON writes orders as one JSON object a line until at least size bytes are
// out, and returns how many.
func NDJSON(w io.Writer, size int64, seed uint64) (orders int64, err error) {
	return write(w, size, seed, func(b []byte) []byte { return b }, appendJSON)
}

func write(w io.Writer, size int64, seed uint64, head func([]byte) []byte, one func([]byte, *[len(columns)]string) []byte) (int64, error) {
	out := bufio.NewWriterSize(w, 1<<20)
	r := rand.New(rand.NewPCG(seed, 1))
	var fields [len(columns)]string
	line := head(nil)
	written, n := int64(len(line)), int64(0)
	if _, err := out.Write(line); err != nil {
		return 0, err
	}
	for ; written < size; n++ {
		order(&fields, n, r)
		line = one(line[:0], &fields)
		written += int64(len(line))
		if _, err := out.Write(line); err != nil {
			return n, fmt.Errorf("sample: %w", err)
		}
	}
	return n, out.Flush()
}

func appendCSV(b []byte, fields *[len(columns)]string) []byte {
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, f)
	}
	return append(b, '\n')
}

// appendField quotes what RFC 4180 wants quoted.
func appendField(b []byte, f string) []byte {
	quoted := false
	for i := 0; i < len(f) && !quoted; i++ {
		quoted = f[i] == ',' || f[i] == '"' || f[i] == '\n'
	}
	if !quoted {
		return append(b, f...)
	}
	b = append(b, '"')
	for i := 0; i < len(f); i++ {
		if f[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, f[i])
	}
	return append(b, '"')
}

func appendJSON(b []byte, fields *[len(columns)]string) []byte {
	for i, f := range fields {
		if i == 0 {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, columns[i]...)
		b = append(b, `":"`...)
		for j := 0; j < len(f); j++ {
			switch f[j] {
			case '"':
				b = append(b, '\\', '"')
			case '\n':
				b = append(b, '\\', 'n')
			default:
				b = append(b, f[j])
			}
		}
		b = append(b, '"')
	}
	return append(b, '}', '\n')
}
