package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// eachRole is the argument that makes this program the yardstick of one trigger a
// record: the same client, many POSTs at a time, no ledger.
const eachRole = "each"

// each posts every line of a file as a body of its own.
type each struct {
	url    string
	client *http.Client

	triggers, sent atomic.Int64
}

// linesAtOnce are handed to a poster together, so that handing over costs nothing.
const linesAtOnce = 32

func runEach(ctx context.Context, args []string, out io.Writer) error {
	var e each
	f := flag.NewFlagSet(eachRole, flag.ContinueOnError)
	inFlight := f.Int("in-flight", 64, "POSTs at a time")
	f.StringVar(&e.url, "url", "", "where to POST")
	if err := f.Parse(args); err != nil {
		return err
	}
	file, err := os.Open(f.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	e.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *inFlight}}
	lines := make(chan [][]byte, *inFlight)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(lines)
		return readLines(ctx, file, lines)
	})
	for range *inFlight {
		g.Go(func() error {
			for list := range lines {
				for _, line := range list {
					if err := e.post(ctx, line); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("yardstick: %w", err)
	}
	return json.NewEncoder(out).Encode(summary{Records: e.triggers.Load(), Triggers: e.triggers.Load(), Sent: e.sent.Load()})
}

// readLines hands over the lines of a file, each checked to be an object.
func readLines(ctx context.Context, file io.Reader, out chan<- [][]byte) error {
	in := bufio.NewScanner(bufio.NewReaderSize(file, 1<<20))
	var list [][]byte
	for more := true; more; {
		if more = in.Scan(); more {
			line := bytes.TrimSpace(in.Bytes())
			if len(line) == 0 {
				continue
			}
			if line[0] != '{' || !json.Valid(line) {
				return errors.New("a record is no JSON object")
			}
			if list = append(list, bytes.Clone(line)); len(list) < linesAtOnce {
				continue
			}
		}
		select {
		case out <- list:
			list = nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return in.Err()
}

func (e *each) post(ctx context.Context, body []byte) error {
	if err := post(ctx, e.client, e.url, body); err != nil {
		return err
	}
	e.triggers.Add(1)
	e.sent.Add(int64(len(body)))
	return nil
}
