package soak

// A Class is the verdict on one message. A message is counted once, under the worst that happened to it.
type Class uint8

const (
	// Good: every byte where it belongs.
	Good Class = iota
	// Foreign: a byte of another connection, or of another request of the same one, was delivered.
	Foreign
	// Damaged: a byte nobody sent, or a reply that breaks the protocol.
	Damaged
	// Duplicated: something was delivered twice.
	Duplicated
	// Reordered: everything came, in another order.
	Reordered
	// Lost: something never came.
	Lost
	// Refused: the server declined, by status or by not accepting. Counted, and not a finding.
	Refused
	classes
)

var classNames = [classes]string{"good", "foreign", "damaged", "duplicated", "reordered", "lost", "refused"}

// String gives the word used in every report.
func (c Class) String() string {
	if c >= classes {
		return "unknown"
	}
	return classNames[c]
}

// MarshalText makes a Class a word in the JSON result.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// worse returns the class that is to be counted when both apply: the order of the constants.
func worse(a, b Class) Class {
	if a == Good {
		return b
	}
	if b == Good {
		return a
	}
	return min(a, b)
}
