package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Read reads what JSON wrote.
func Read(rd io.Reader) (*Report, error) {
	r := new(Report)
	if err := json.NewDecoder(rd).Decode(r); err != nil {
		return nil, fmt.Errorf("no report of this program: %w", err)
	}
	return r, nil
}

// Pool takes runs together as if their rounds had been one run's: an hour in which the
// machine was disturbed then weighs no more than another. A row is what all the runs that
// have it compared: a peer that one of them lacks is left out of it, since rounds are paired.
func Pool(runs []*Report) (*Report, error) {
	if len(runs) == 0 {
		return nil, errors.New("nothing to pool")
	}
	out := &Report{Machine: runs[0].Machine, Versions: runs[0].Versions, Notes: runs[0].Notes, Seconds: runs[0].Seconds}
	var dates, commands []string
	for _, r := range runs {
		if r.Machine.CPU != out.Machine.CPU || r.Machine.Cores != out.Machine.Cores || r.Machine.Kernel != out.Machine.Kernel || r.Machine.Go != out.Machine.Go {
			return nil, fmt.Errorf("the runs of %s and %s are of different machines, kernels or Go versions: %+v and %+v", runs[0].Date, r.Date, out.Machine, r.Machine)
		}
		dates, commands = append(dates, r.Date), append(commands, r.Command)
		for i := range r.Rows {
			row := &r.Rows[i]
			if have := out.find(row.Name); have != nil {
				have.add(row)
			} else {
				out.Rows = append(out.Rows, *row)
			}
		}
	}
	out.Date, out.Command = strings.Join(dates, ", "), strings.Join(commands, "\n")
	for i := range out.Rows {
		row := &out.Rows[i]
		for k := range row.Peers {
			row.Peers[k].Median = Sample{}
			out.Rounds = max(out.Rounds, len(row.Peers[k].Samples))
		}
	}
	out.Finish()
	return out, nil
}

// add appends the rounds of another run of the same row.
func (r *Row) add(more *Row) {
	r.Peers = slices.DeleteFunc(slices.Clone(r.Peers), func(p Result) bool { return more.result(p.Peer) == nil })
	for i := range r.Peers {
		p := &r.Peers[i]
		p.Samples = slices.Concat(p.Samples, more.result(p.Peer).Samples)
	}
}
