package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/d74363f0/strand/bench/load"
)

// loadMain is one measurement: bench load CONFIG, which prints a load.Result.
func loadMain(args []string) error {
	if len(args) != 1 {
		return errors.New("load: one argument, the configuration as JSON")
	}
	var cfg load.Config
	if err := json.Unmarshal([]byte(args[0]), &cfg); err != nil {
		return err
	}
	r, err := load.Run(cfg)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// idleMain holds idle connections: bench idle PROTO ADDR. It reads a number a
// line, opens connections until there are so many, and prints the number.
func idleMain(args []string) error {
	if len(args) != 2 {
		return errors.New("idle: two arguments, protocol and address")
	}
	d, err := load.NewIdle(args[0], args[1])
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		n, err := strconv.Atoi(in.Text())
		if err != nil {
			return err
		}
		if err := d.Grow(n); err != nil {
			return err
		}
		fmt.Println(n)
	}
	return in.Err()
}
