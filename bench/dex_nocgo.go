//go:build !cgo

package main

import "errors"

// withC says whether what is written in C was built.
const withC = false

func openDex(string) (keeper, error) {
	return nil, errors.New("its SQLite storage needs a C compiler, and this was built without (CGO_ENABLED=0)")
}
