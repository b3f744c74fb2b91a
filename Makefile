# The same commands that .ci/run uses, one at a time. 'make ci' is all of it.
lint = go tool -modfile=tools/go.mod golangci-lint

build:  ## the program, static, in this folder
	CGO_ENABLED=0 go build -trimpath -o worqcron ./cmd/worqcron

test:   ## all tests
	go test ./...

race:   ## all tests with the race detector; needs a C compiler
	CGO_ENABLED=1 go test -race -count=1 ./...

lint:   ## what must not be in the code
	$(lint) run

fmt:    ## format all files
	$(lint) fmt

fuzz:   ## all fuzz targets; SECONDS=600 for all of them together
	.ci/fuzz $(or $(SECONDS),45)

oracle: ## ten years of slots in thirty zones against the oracle, and a year of the daemon
	WORQCRON_ORACLE=full go test -count=1 -timeout 3h -v -run 'TestTenYearsAgainstOracle|TestYearOf' ./scheduler ./cmd/worqcron

bench:  ## speed, memory and triggers a second; ARGS='-size 1GB -runs 5'
	go run ./bench $(ARGS)

crash:  ## kill the program KILLS=1000 times with each policy; ARGS='-seed N' or '-power' for power cuts
	go run ./crash -kills $(or $(KILLS),1000) $(ARGS)

ci:     ## everything that must pass
	.ci/run

help:   ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 10

.DEFAULT_GOAL := help
.PHONY: build test race lint fmt fuzz oracle bench crash ci help
