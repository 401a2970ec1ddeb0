// Command defect lets strand soak catch a published defect, and shows that the
// same handler does no harm on strand.
//
//	GOWORK=off go run -C bench/defect .
//
// The handler is an echo that net/http serves without a flaw. It closes the body
// a little late, from a goroutine, as a middleware that cleans up in the
// background does. In nbio v1.2.18 bodies come from a pool, and go back when the
// handler returns: the late Close is then that of a body which belongs to another
// request, and takes its bytes away while they are read. Clients receive each
// other's bytes.
//
// The defect is public (github.com/lesismal/nbio, issues 445 and 453) and fixed
// since. The old version is here because it is known to be wrong: a check is worth
// what it has been seen to find. go.work would replace it by the one that is measured,
// so this module stays out of it.
package main
