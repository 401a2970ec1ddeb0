package conformance

import (
	"errors"
	"fmt"
	"strings"
)

// Grade says how strongly the RFC asks for what a case expects.
type Grade int

const (
	// Must is the grade of a case whose expectation is a MUST, or follows from one.
	Must Grade = iota
	// Should is the grade of a case whose expectation is a SHOULD, a MAY with one
	// sensible reading, or an immediacy the RFC leaves to the endpoint.
	Should
)

// String returns the word of RFC 2119.
func (g Grade) String() string {
	if g == Should {
		return "SHOULD"
	}
	return "MUST"
}

// Case is one question to an echo peer.
type Case struct {
	// ID is unique in its list and begins with the section of RFC 6455, or with
	// "7692-" and the section of RFC 7692.
	ID string
	// Says is the question in one sentence.
	Says string
	// Want is the expected behaviour in a few words.
	Want string
	// Grade is Must unless the RFC only recommends.
	Grade Grade
	// Deflate is true when the case needs permessage-deflate: a client under test has
	// to offer it, a server has to accept it.
	Deflate bool

	heavy bool // many megabytes: few of these run at once
	run   func(*env) error
}

// Status is the outcome of one case.
type Status int

const (
	// Pass means that the peer did exactly what the case expects.
	Pass Status = iota
	// Fail means that the peer did something else.
	Fail
	// Lax means that the peer did something else where the RFC only recommends.
	Lax
	// Declined means that the case could not be asked: the peer lawfully declined the
	// extension parameters, or the options name no limit.
	Declined
)

// String returns the word the report prints.
func (s Status) String() string {
	return [...]string{"pass", "FAIL", "lax", "declined"}[s]
}

// Result is what became of one case. Err says why for every status but Pass.
type Result struct {
	Case   Case
	Status Status
	Err    error
}

// Report holds the results in the order of the cases.
type Report struct {
	Results []Result
}

// Count returns how many results have the status s.
func (r Report) Count(s Status) int {
	n := 0
	for _, x := range r.Results {
		if x.Status == s {
			n++
		}
	}
	return n
}

// OK is true when no case failed, lax and declined ones aside.
func (r Report) OK() bool { return r.Count(Fail) == 0 }

// String returns a table of everything that did not pass and a line of totals.
func (r Report) String() string {
	var b strings.Builder
	for _, x := range r.Results {
		if x.Status == Pass {
			continue
		}
		fmt.Fprintf(&b, "%-8s %-6s %-44s %s\n%16swant: %s\n%16sgot:  %v\n",
			x.Status, x.Case.Grade, x.Case.ID, x.Case.Says, "", x.Case.Want, "", x.Err)
	}
	fmt.Fprintf(&b, "%d cases: %d pass, %d fail, %d lax, %d declined\n",
		len(r.Results), r.Count(Pass), r.Count(Fail), r.Count(Lax), r.Count(Declined))
	return b.String()
}

// errDeclined marks a case that could not be asked.
var errDeclined = errors.New("not asked")

func statusOf(c Case, err error) Status {
	switch {
	case err == nil:
		return Pass
	case errors.Is(err, errDeclined):
		return Declined
	case c.Grade == Should:
		return Lax
	}
	return Fail
}
