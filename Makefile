# The commands of this project; `make help` lists them. They need Go, git and bash; what else they use is
# built from Go modules into bin/. Versions: the go.mod files of hack/tools/* and hack/controlplane.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOOLS := $(CURDIR)/bin/tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint
CONTROLLER_GEN := $(TOOLS)/controller-gen

##@ Try it

.PHONY: demo
demo: build ## Run the main job on embedded parts (Ctrl-C ends it; DEMO_EXIT=1 ends it after the story).
	hack/controlplane/build.sh kube-apiserver etcd kubectl kube-controller-manager
	go build -o bin/demo ./hack/demo
	exec bin/demo

##@ Develop

.PHONY: build
build: ## Build the commands into bin/.
	go build -o bin/ ./cmd/...

.PHONY: test
test: ## Run every suite; what is not there to run some with is skipped, and named at the end.
	hack/controlplane/build.sh kube-apiserver etcd kubectl kube-controller-manager
	go build -o bin/test ./hack/test
	bin/test -p 2 -timeout 9m ./...

.PHONY: bench
bench: ## Run the benchmarks; prints them and writes bench.json.
	go run ./hack/bench

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Write the CRDs in config/crd/bases from the types in api/, and dist/install.yaml with all of config/default.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases
	hack/controlplane/build.sh kubectl
	mkdir -p dist
	PATH="$${KUBEBUILDER_ASSETS:+$$KUBEBUILDER_ASSETS:}$(CURDIR)/bin/controlplane:$$PATH" kubectl kustomize config/default >dist/install.yaml

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Write the deep copies of the types in api/.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: format
format: $(GOLANGCI_LINT) ## Format the Go code.
	$(GOLANGCI_LINT) fmt

.PHONY: controlplane
controlplane: ## Build etcd, kube-apiserver, kubectl and kube-controller-manager, once (9 minutes on two cores).
	hack/controlplane/build.sh kube-apiserver etcd kubectl kube-controller-manager

##@ Check

.PHONY: verify
verify: verify-format verify-vet verify-lint verify-generated verify-modules verify-imports verify-links verify-scripts ## Run every check that is not a test of behaviour.
	@echo "verified"

.PHONY: verify-format
verify-format: $(GOLANGCI_LINT) ## Check gofmt and goimports; `make format` mends.
	$(GOLANGCI_LINT) fmt --diff

.PHONY: verify-vet
verify-vet: ## Run go vet.
	go vet ./...

.PHONY: verify-lint
verify-lint: $(GOLANGCI_LINT) ## Run the linters of .golangci.yml.
	$(GOLANGCI_LINT) run

# Compared beside the tree, not in it: a check changes nothing, and work that is not committed yet passes.
# The dot keeps the copies out of ./... .
.PHONY: verify-generated
verify-generated: $(CONTROLLER_GEN) ## Check that CRDs and deep copies are those of the types; `make generate manifests` mends.
	rm -rf bin/.generated
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=bin/.generated/crd
	$(CONTROLLER_GEN) object paths=./api/... output:object:dir=bin/.generated/object
	diff -r config/crd/bases bin/.generated/crd
	diff api/v1alpha1/zz_generated.deepcopy.go bin/.generated/object/zz_generated.deepcopy.go

.PHONY: verify-modules
verify-modules: ## Check that go.mod and go.sum are tidy, here and under hack/.
	for directory in . hack/tools/* hack/controlplane; do (cd $$directory && go mod tidy -diff); done

.PHONY: verify-imports
verify-imports: ## Check the direction of imports (docs/architecture.md).
	go test ./test/imports

.PHONY: verify-links
verify-links: ## Check that what the documentation links to is there.
	go test ./test/links

.PHONY: verify-scripts
verify-scripts: ## Check the PowerShell that runs on hosts against our rules, with a PowerShell's own parser if there is one.
	go run ./hack/test ./test/scripts

##@ Help

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A tool is built anew when the go.mod that pins it changes.
$(GOLANGCI_LINT): hack/tools/golangci-lint/go.mod
	@echo "Building golangci-lint, once: a minute and a half on two cores"
	cd $(<D) && CGO_ENABLED=0 go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(CONTROLLER_GEN): hack/tools/controller-gen/go.mod
	cd $(<D) && CGO_ENABLED=0 go build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen
