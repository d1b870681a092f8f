# What there is to run. CI runs .ci/run alone.

.DEFAULT_GOAL := help
race := go test -race '-gcflags=modernc.org/...=-race=false' -shuffle=on
linter := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
apidiff := go run golang.org/x/exp/cmd/apidiff@latest

.PHONY: help
help: ## say what there is to run
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: check
check: ## everything that CI checks
	.ci/run

.PHONY: test
test: ## the tests of the library
	go test ./...

.PHONY: race
race: ## the same, in any order, looking for data races
	$(race) ./...

.PHONY: lint
lint: ## the linter, on the library
	$(linter) run --build-tags torture ./...

.PHONY: torture
torture: ## what must survive, at full length: 200 kills and more
	go test -tags torture -count=1 -timeout 1h -v ./internal/torture
	cd store/postgres && go test -tags torture -count=1 -timeout 1h -v ./internal/torture

.PHONY: fuzz
fuzz: ## ten minutes of each fuzz test
	@set -e; grep -ro --include='*_test.go' '^func Fuzz[A-Za-z]*' . | sort | while IFS=: read -r file func; do \
		go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime 10m "$$(dirname "$$file")"; done

.PHONY: bench
bench: ## measure the library against what people use, and draw the picture
	cd bench && go run .

.PHONY: pictures
pictures: ## draw the pictures of the page again
	cd tokenpage/browsertest && go test -count=1 -run TestPictures -pictures ../../docs/images .

.PHONY: apidiff
apidiff: ## what has changed in the API since the last tag
	@set -e; tag=$$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null) || { echo "there is no tag yet"; exit 1; }; old=$$(mktemp -d); trap 'rm -rf "$$old"' EXIT; \
	git archive "$$tag" | tar -x -C "$$old"; \
	(cd "$$old" && $(apidiff) -m -w "$$old/api" "$$(go list -m)"); $(apidiff) -m "$$old/api" "$$(go list -m)"
