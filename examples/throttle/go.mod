module github.com/authtoken/authtoken/examples/throttle

go 1.26

require (
	github.com/authtoken/authtoken v0.0.0
	golang.org/x/time v0.14.0
)

require github.com/google/uuid v1.6.0 // indirect

replace github.com/authtoken/authtoken => ../..
