// Package house holds tests only: which package may import which, and the tidiness that a reader relies on.
//
// Each rule reads the source of the whole repository, every platform and build tag at once, and each is shown by
// a test of its own to catch a small violation. Where a rule is wrong about new code, change its table in the
// same commit as the code and say why there; a rule has no way to be switched off from the code it judges.
package house
