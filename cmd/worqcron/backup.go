package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/store"
)

func newBackup(p *program) *cobra.Command {
	force := false
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "copy the ledger to a file, also while a daemon runs",
		Long: `backup copies the ledger as of one instant. A daemon may go on meanwhile. The
copy is read whole before it gets its name, and only its owner may read it.

Bodies that are kept for unknown and failed chunks, and spools, lie in folders
beside the ledger and are not in the copy.

A copy that is put back is refused until 'serve --accept-restore': it does not
know what was sent since.`,
		Example: `  worqcron backup /backup/worqcron-$(date +%F).db`,
		Args:    exactly("FILE"),
		RunE:    func(c *cobra.Command, args []string) error { return p.backup(c.Context(), args[0], force) },
	}
	c.Flags().BoolVar(&force, "force", false, "overwrite FILE")
	return c
}

// backupJSON is a backup for programs.
type backupJSON struct {
	File           string       `json:"file"`
	Bytes          int64        `json:"bytes"`
	Runs           int64        `json:"runs"`
	Attempts       int64        `json:"attempts"`
	HighestAttempt int64        `json:"highest_attempt"`
	LeftOut        batch.Beside `json:"left_out"`
}

func (p *program) backup(ctx context.Context, file string, force bool) (err error) {
	r, err := p.mustRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b, err := r.Backup(ctx, file, force)
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%w\n  hint: --force overwrites it", err)
	}
	if err != nil {
		return err
	}
	beside, err := batch.FindBeside(r.Path())
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.out, backupJSON{file, b.Bytes, b.Runs, b.Attempts, b.HighestAttempt, beside})
	}
	fmt.Fprintf(p.out, "backup    %s, %s, read whole\n", file, humanize.Bytes(uint64(b.Bytes)))
	fmt.Fprintf(p.out, "runs      %s\n", humanize.Comma(b.Runs))
	fmt.Fprintf(p.out, "attempts  %s, the highest is %d\n", humanize.Comma(b.Attempts), b.HighestAttempt)
	for _, left := range []struct {
		files batch.Files
		what  string
		end   string
	}{{beside.KeptBodies, "kept body file", ".bodies"}, {beside.Spools, "spool", ".spool"}} {
		if left.files.Files > 0 {
			fmt.Fprintf(p.out, "not in it %s (%s) in %s\n", count(left.files.Files, left.what), humanize.Bytes(uint64(left.files.Bytes)), filepath.Base(r.Path())+left.end)
		}
	}
	return nil
}
