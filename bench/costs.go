package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/google/pprof/profile"

	"github.com/d74363f0/strand/bench/report"
)

// parts are where a Go server's processor time goes, by the innermost function of a sample: the first that matches
// counts. A system call is one function to the profiler, so what the kernel does inside is not divided.
var parts = []struct {
	name  string
	names *regexp.Regexp
}{
	{"system calls", regexp.MustCompile(`^(internal/runtime/syscall[./]|syscall\.|golang\.org/x/sys|runtime\.(futex|epoll|usleep|osyield|madvise|write1|read|tgkill|cgocall|asmcgocall|nanotime|walltime|vdso))`)},
	{"crypto", regexp.MustCompile(`^(crypto/|vendor/golang\.org/x/crypto|math/big|internal/chacha8rand|hash/)`)},
	{"deflate", regexp.MustCompile(`^(compress/|github\.com/klauspost/compress)`)},
	{"the server's own", regexp.MustCompile(`^(main\.|type:\.|github\.com/d74363f0/strand/bench/)`)},
	{"strand", regexp.MustCompile(`^github\.com/d74363f0/strand[./]`)},
	{"collector", regexp.MustCompile(`^runtime\.(gc|scan|mark|greyobject|sweep|bgsweep|tryDefer|wb|bulkBarrier|typedmemmove|findObject|spanOf|\(\*gc|\(\*sweep|drain|typePointers|\(\*mspan\)\.(sweep|typePointers|markBits|scannedBits|refillAlloc))`)},
	{"memory and maps", regexp.MustCompile(`^(internal/runtime/maps\.|runtime\.(malloc|memclr|newobject|makeslice|makemap|map|growslice|nextFree|\(\*m(cache|central|heap|span)|heapSetType|\(\*heap|publicationBarrier|rawbyteslice|rawstring|slicebytetostring|concatstring|aeshash|strhash|memhash|deductAssist|profilealloc|convT|stk|stackalloc|newstack|copystack))`)},
	{"copying", regexp.MustCompile(`^runtime\.(memmove|memequal|cmpbody)`)},
	{"scheduler and the rest of the runtime", regexp.MustCompile(`^(runtime|internal/runtime|internal/abi|sync|internal/sync|internal/race|internal/bytealg)[./]`)},
	{"standard library", regexp.MustCompile(`^[a-z0-9]+(/[a-z0-9]+)*\.[^/]*$`)},
	{"other libraries", regexp.MustCompile(``)},
}

// spent divides the time of a processor profile among parts.
func spent(p *profile.Profile) (shares []float64) {
	shares = make([]float64, len(parts))
	var all float64
	for _, s := range p.Sample {
		v := float64(s.Value[len(s.Value)-1])
		shares[partOf(s)] += v
		all += v
	}
	for i := range shares {
		shares[i] *= 100 / max(all, 1)
	}
	return shares
}

func partOf(s *profile.Sample) int {
	name := ""
	if len(s.Location) > 0 && len(s.Location[0].Line) > 0 && s.Location[0].Line[0].Function != nil {
		name = s.Location[0].Line[0].Function.Name
	}
	for i := range parts {
		if parts[i].names.MatchString(name) {
			return i
		}
	}
	return len(parts) - 1
}

// costs writes, for each row and peer of the report with a profile in dir, what part of the server's processor
// time went where. A server in C has no profile.
func costs(w io.Writer, r *report.Report, dir string) error {
	fmt.Fprintf(w, "\nprocessor time by where it was, of 100 (-profile; by the innermost function)\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "row\tpeer\t")
	for _, p := range parts {
		fmt.Fprintf(t, "%s\t", p.name)
	}
	fmt.Fprintln(t)
	var errs []error
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			got, err := readProfile(filepath.Join(dir, profileName(row.Name, p.Peer)+".cpu"))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t", row.Name, p.Peer)
			for _, share := range spent(got) {
				fmt.Fprintf(t, "%s\t", share100(share))
			}
			fmt.Fprintln(t)
		}
	}
	return errors.Join(append(errs, t.Flush())...)
}

// share100 is a share in whole hundredths, and nothing for what would be 0.
func share100(v float64) string {
	if v < 0.5 {
		return ""
	}
	return fmt.Sprintf("%.0f", v)
}

func readProfile(name string) (*profile.Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// profileName is what the files of a row's and peer's profiles are called, without their endings.
func profileName(row, peer string) string { return row + "-" + strings.ReplaceAll(peer, "/", "-") }
