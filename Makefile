# make help lists what there is.
.PHONY: help demo test quick faults build page bench cluster cluster-down

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: ## Set up what is missing and run tilt up on examples/microservices (EXAMPLE=hello: on another)
	@dev/demo $(or $(EXAMPLE),microservices)

test: ## Set up what is missing and run all tests
	@dev/test

quick: ## Run the tests that need neither Docker nor a cluster
	@dev/test quick

faults: ## Stop parts of the cluster and of this machine, and measure how tilt gets over it
	@dev/test faults

build: ## Build the page and the release binary that carries it
	dev/page build
	cargo build --release --bin tilt

page: ## Serve the page from web/ with reload, for the session on TILT_PORT
	dev/page serve

bench: ## Measure the hot paths (TILT_PEER=PATH measures another binary beside ours)
	@benches/run
	@benches/clients

cluster: ## Start the local cluster
	@dev/cluster/cluster up

cluster-down: ## Stop the local cluster
	@dev/cluster/cluster down
