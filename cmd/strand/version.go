package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

func printVersion(args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 {
		switch args[0] {
		case "-h", "-help", "--help":
			fmt.Fprintln(stdout, "strand version: say which version this is; there are no flags")
			return exitOK
		}
	}
	if len(args) > 0 {
		fmt.Fprintf(stderr, "strand version: takes no arguments, got %q\n", args[0])
		return exitUsage
	}
	fmt.Fprintf(stdout, "strand %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}

// version is the module's version, or the commit it was built from, or "devel" where neither is known.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
