package sample

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"

	"golang.org/x/text/encoding/charmap"
)

// invoiceStates has drafts, which are of no interest to others.
var invoiceStates = [...]string{"paid", "open", "draft", "paid"}

// Invoices writes a CSV file as an old program would, until at least size bytes
// are out, and returns how many invoices: windows-1252, semicolons, two lines of
// title, and amounts that are missing.
func Invoices(w io.Writer, size int64, seed uint64) (invoices int64, err error) {
	counted := &counter{w: w}
	out := bufio.NewWriterSize(charmap.Windows1252.NewEncoder().Writer(counted), 64<<10)
	r := rand.New(rand.NewPCG(seed, 2))
	if _, err := out.WriteString("Rechnungen – Übersicht\r\nERP 4.2\r\nInvoice No.;customer;amount;positions;status\r\n"); err != nil {
		return 0, err
	}
	for ; counted.n < size; invoices++ {
		amount := fmt.Sprintf("%d.%02d", 1+r.IntN(5000), r.IntN(100))
		if r.IntN(50) == 0 {
			amount = "NULL"
		}
		_, err := fmt.Fprintf(out, "R-%06d;\"%s\";%s;%d;%s\r\n", invoices, [...]string{
			"Müller; Söhne", "José García", "Søren Ødegård", "Lefèvre & Cie", "O'Brien", "Café Zoë",
		}[r.IntN(6)], amount, 1+r.IntN(9), invoiceStates[r.IntN(len(invoiceStates))])
		if err != nil {
			return invoices, fmt.Errorf("sample: %w", err)
		}
	}
	return invoices, out.Flush()
}

// counter counts what goes through.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
