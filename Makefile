# Every target runs with the Node.js and the tools that package-lock.json names.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Arguments for the command behind a target: make demo ARGS="--trace calls.jsonl"
ARGS ?=

installed := node_modules/.installed
sources := $(shell find src -name '*.ts' 2>/dev/null) package.json tools/build.ts tools/bundle.ts tools/library.ts tools/warm-up.ts

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: dist/berth.js ## run the experiment on this machine and check its invariants (best as root)
	@tools/install-debian.sh --for-demo
	@node dist/berth.js lab demo $(ARGS)

# Two files at a time, whatever the machine: each of a server's or a guest's tests takes a core and memory.
test-options := --test-concurrency=2 --test-timeout=300000
# A folder of test/ stands in one of the two.
fast-tests := 'src/**/*.test.ts' 'test/*.test.ts' 'test/{csi,volumes}/*.test.ts'
nfs-tests := 'test/{e2e,export,lab,nfs,node-nfs,power}/*.test.ts'

.PHONY: test
test: $(installed) ## run the tests (as root: they mount, serve NFS, boot guests; installs Debian packages)
	@tools/install-debian.sh
	@node --test $(test-options) $(ARGS) $(fast-tests) $(nfs-tests)

.PHONY: test-fast
test-fast: $(installed) ## the tests that need no NFS server and no guest (as root: they mount)
	@node --test $(test-options) $(ARGS) $(fast-tests)

.PHONY: test-nfs
test-nfs: $(installed) ## the tests on real NFS servers and in guests (as root; installs Debian packages)
	@tools/install-debian.sh
	@node --test $(test-options) $(ARGS) $(nfs-tests)

.PHONY: lint
lint: $(installed) ## check format, lint rules, types, unused code and the .proto files
	@biome check --error-on-warnings .
	@tsc -p .
	@knip
	@buf lint

.PHONY: fmt
fmt: $(installed) ## format every file, and fix what can be fixed safely
	@biome check --write .

.PHONY: gen
gen: $(installed) ## generate src/gen from proto/
	@buf generate

.PHONY: build
build: dist/berth.js ## bundle the program into dist/berth.js

.PHONY: bench
bench: dist/berth.js ## measure start, memory and calls a second; prints a table in Markdown
	@node bench/main.ts $(ARGS)

.PHONY: bench-nfs
bench-nfs: dist/berth.js ## measure the NFS client on real servers (as root; ARGS="--quick" for a first look)
	@tools/install-debian.sh
	@node bench/nfs/main.ts $(ARGS)

.PHONY: bench-node
bench-node: dist/berth.js ## measure mounts in a guest beside the bare commands (as root)
	@tools/install-debian.sh
	@node bench/node/main.ts $(ARGS)

.PHONY: bench-export
bench-export: dist/berth.js ## measure volumes on an export of a real server (as root; ARGS="--nfs=3")
	@tools/install-debian.sh
	@node bench/export/main.ts $(ARGS)

.PHONY: conformance
conformance: dist/berth.js ## run csi-sanity against the driver (as root; needs Go)
	@tools/install-debian.sh
	@node tools/conformance.ts $(ARGS)
	@node tools/conformance-exports.ts $(ARGS)

.PHONY: clean
clean: ## remove what the targets made, and what they installed
	rm -rf dist .cache node_modules

dist/berth.js: $(installed) $(sources)
	@node tools/build.ts

$(installed): package-lock.json
	@tools/install-npm.sh
	@touch $@
