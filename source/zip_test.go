package source

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// member is one entry of a zip.
type member struct {
	name, data string
	method     uint16
}

func zipped(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: m.method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZip(t *testing.T) {
	plain := noise(1000)
	for _, c := range []struct {
		name, file, format string
		members            []member
	}{
		{"named by the zip", "orders.csv.zip", "", []member{{"data", string(plain), zip.Deflate}}},
		{"named by its member", "orders.zip", "", []member{{"out/Orders.CSV", string(plain), zip.Deflate}}},
		{"named by the options", "orders.zip", FormatCSV, []member{{"data", string(plain), zip.Store}}},
		{"folders beside it", "orders.zip", "", []member{{"a/", "", zip.Store}, {"a/b/", "", zip.Store}, {"a/b/x.csv", string(plain), zip.Deflate}}},
		{"a name that leads out", "orders.zip", "", []member{{"../../x.csv", string(plain), zip.Deflate}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Path: write(t, c.file, zipped(t, c.members...)), Dialect: Dialect{Format: c.format}}
			for _, h := range []how{sequential, {block: 64, workers: 2}} {
				if got := checkedScan(t, o, plain, h); got.Err != "" || len(got.Records) != 1000 {
					t.Errorf("%d records, error %q", len(got.Records), got.Err)
				}
			}
		})
	}
}

func TestRefusedZips(t *testing.T) {
	row := member{"a.csv", "a\n1\n", zip.Deflate}
	encrypted := zipped(t, row)
	for _, signature := range []string{"PK\x03\x04", "PK\x01\x02"} { // the flags are 6 and 8 bytes behind them
		at := bytes.Index(encrypted, []byte(signature)) + 6 + 2*strings.Count(signature, "\x01")
		encrypted[at] |= 1
	}
	many := make([]member, maxZipEntries+1)
	for i := range many {
		many[i] = member{name: "d/"}
	}
	whole := zipped(t, member{"a.csv", string(noise(2000)), zip.Deflate})
	for _, c := range []struct {
		name, file, want string
		data             []byte
	}{
		{
			"several files", "f.zip", "zip: there are 7 files in it, one is wanted: a.csv, b.csv, c.csv, d.csv, e.csv, …",
			zipped(t, row, member{name: "b.csv"}, member{name: "c.csv"}, member{name: "d.csv"}, member{name: "e.csv"}, member{name: "f.csv"}, member{name: "g.csv"}),
		},
		{"no file", "f.zip", "zip: there is no file in it", zipped(t, member{name: "a/"})},
		{"empty", "f.csv.zip", "zip: there is no file in it", zipped(t)},
		{"encrypted", "f.csv.zip", "zip: a.csv is encrypted", encrypted},
		{"no zip", "f.csv.zip", "is not zip data", []byte("a,b\n1,2\n")},
		{"empty file", "f.csv.zip", "is not zip data", nil},
		{"cut off", "f.csv.zip", "zip: cut off before its end, where its directory is", whole[:len(whole)-30]},
		{"an Excel workbook", "f.zip", "is a ZIP archive, perhaps an Excel workbook (.xlsx)", zipped(t, member{name: "[Content_Types].xml"}, row)},
		{"an Excel workbook as CSV", "f.csv", "is a ZIP archive, perhaps an Excel workbook (.xlsx)", zipped(t, member{name: "[Content_Types].xml"}, row)},
		{"no format", "f.zip", "neither its name nor that of the file in it, a.txt, tells the format", zipped(t, member{name: "a.txt"})},
		{"too many entries", "f.zip", "zip: has over 10000 entries", zipped(t, many...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.file, c.data)
			_, err := OpenSnapshot(Options{Path: path})
			var own *Error
			if !errors.As(err, &own) || own.Error() != path+": "+c.want || own.Hint == "" {
				t.Errorf("OpenSnapshot: %v, want %q and a hint", err, c.want)
			}
		})
	}
}

// TestDamagedZip has zips whose directory is in order.
func TestDamagedZip(t *testing.T) {
	plain := noise(2000)
	whole := zipped(t, member{"a.csv", string(plain), zip.Store})
	flipped := bytes.Clone(whole)
	flipped[bytes.Index(flipped, []byte("a,b\n"))+4000] ^= 1
	inner := zipped(t, member{"a.csv", string(zipped(t, member{name: "[Content_Types].xml"})), zip.Deflate})
	long := bytes.Clone(whole) // says that the file is longer than it is
	size := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(plain))
	at := bytes.LastIndex(long, size) + 8 // in the directory
	binary.LittleEndian.PutUint32(long[at:], uint32(len(plain)+1))
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"a flipped bit", "zip: damaged: zip: checksum error", flipped},
		{"an Excel workbook in it", "is a ZIP archive, perhaps an Excel workbook (.xlsx)", inner},
		{"another size", "zip: cut off before its end: unexpected EOF", long},
	} {
		o := Options{Path: write(t, "f.csv.zip", c.data)}
		err := open(t, o).Scan(context.Background(), 0, ScanOptions{}, func(*Block) error { return nil })
		if err == nil || err.Error() != o.Path+": "+c.want {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestGzipBomb has gzip that grows as much as gzip can, 1,030 times: it is ended
// when it is past the slack and the ratio, which is well before the end of a bomb
// of 10 MB. Here the slack is nearly used up from the start.
func TestGzipBomb(t *testing.T) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for slack, bomb := range map[int64]bool{ratioSlack: false, 1 << 10: true} {
		s := open(t, Options{Path: write(t, "f.csv.gz", packed.Bytes())})
		c := &scan{snapshot: s, file: s.Files[0], disk: newDisk(s.Files[0])}
		u, err := c.unpack()
		if err != nil {
			t.Fatal(err)
		}
		u.given = ratioSlack - slack
		_, err = io.Copy(io.Discard, u)
		u.close()
		var own *Error
		if bomb && (!errors.As(err, &own) || !strings.Contains(own.Msg, "decompression ratio") || own.Hint == "") {
			t.Errorf("error %v, want one about the decompression ratio", err)
		}
		if !bomb && err != nil {
			t.Errorf("within the slack: %v", err)
		}
	}
}

// TestRatioOfZip holds a zip's member against the bytes that were read of it.
func TestRatioOfZip(t *testing.T) {
	plain := noise(20000)
	data := zipped(t, member{"a.csv", string(plain), zip.Deflate})
	s := open(t, Options{Path: write(t, "f.csv.zip", data)})
	c := &scan{snapshot: s, file: s.Files[0], disk: newDisk(s.Files[0])}
	u, err := c.unpack()
	if err != nil {
		t.Fatal(err)
	}
	defer u.close()
	if _, err := io.Copy(io.Discard, u); err != nil {
		t.Fatal(err)
	}
	if got := u.read(); got < int64(len(data))/2 || got > int64(len(data)) {
		t.Errorf("%d bytes of %d were counted", got, len(data))
	}
	u.given = u.read()*maxRatio + ratioSlack
	u.r = strings.NewReader("x")
	if _, err := u.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "decompression ratio") {
		t.Errorf("one byte too many: error %v", err)
	}
}
