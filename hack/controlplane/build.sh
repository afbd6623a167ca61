#!/usr/bin/env bash
# Builds the programs of a Kubernetes control plane from their Go modules into bin/controlplane:
#
#   hack/controlplane/build.sh kube-apiserver etcd kubectl kube-controller-manager
#
# A program is left alone when KUBEBUILDER_ASSETS has it, or when bin/controlplane has it from the
# same go.mod. Needs nothing but Go and the module proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../bin/controlplane

declare -A package=(
	[etcd]=go.etcd.io/etcd/server/v3
	[kube-apiserver]=k8s.io/kubernetes/cmd/kube-apiserver
	[kube-controller-manager]=k8s.io/kubernetes/cmd/kube-controller-manager
	[kubectl]=k8s.io/kubernetes/cmd/kubectl
)
# Measured on two cores with an empty build cache, in this order: the apiserver comes first and
# compiles most of what the others share.
declare -A takes=(
	[kube-apiserver]="5 to 6 minutes"
	[etcd]="half a minute"
	[kubectl]="half a minute"
	[kube-controller-manager]="2 minutes"
)

version_of() {
	sed -n "s|^[[:space:]]*$1 \(v[^ ]*\).*|\1|p" "$here/go.mod" | head -n 1
}

# The version flags are those of Kubernetes' own build: `kubectl version`, discovery and the
# version-gated features read them.
version_flags() {
	local version=$1 name
	local numbers=${version#v}
	local major=${numbers%%.*}
	local minor=${numbers#*.}
	minor=${minor%%.*}
	for name in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		printf -- '-X %s.gitVersion=%s -X %s.gitMajor=%s -X %s.gitMinor=%s -X %s.gitTreeState=clean ' \
			"$name" "$version" "$name" "$major" "$name" "$minor" "$name"
	done
}

# Compiling is silent for minutes; a line every 100 packages shows that it goes on.
show_progress() {
	local line packages=0
	while IFS= read -r line; do
		if [[ $line == *" "* ]]; then
			echo "$line" >&2
			continue
		fi
		packages=$((packages + 1))
		if ((packages % 100 == 0)); then
			echo "    $packages packages compiled, ${SECONDS}s" >&2
		fi
	done
}

build() {
	local name=$1 stamp=$2
	local flags="-s -w"
	if [[ $name != etcd ]]; then
		flags+=" $(version_flags "$kubernetes")"
	fi
	SECONDS=0
	rm -f "$out/.$name.stamp"
	(cd "$here" && CGO_ENABLED=0 go build -v -ldflags "$flags" -o "$out/.$name.$$" "${package[$name]}") 2>&1 | show_progress
	# Renamed when complete, so that a build that was interrupted or ran twice leaves no half program.
	mv "$out/.$name.$$" "$out/$name"
	echo "$stamp" >"$out/.$name.stamp"
	echo "  $name built in ${SECONDS}s" >&2
}

main() {
	if (($# == 0)); then
		echo "usage: $0 PROGRAM..., of: ${!package[*]}" >&2
		exit 2
	fi
	local name stamp
	for name in "$@"; do
		if [[ -z ${package[$name]:-} ]]; then
			echo "$0: unknown program $name; known are: ${!package[*]}" >&2
			exit 2
		fi
	done
	kubernetes=$(version_of k8s.io/kubernetes)
	etcd=$(version_of go.etcd.io/etcd/server/v3)
	stamp="$kubernetes $etcd $(cksum <"$here/go.mod")"
	mkdir -p "$out"
	for name in "$@"; do
		if [[ -n ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$name ]]; then
			continue
		fi
		if [[ -x $out/$name && $(cat "$out/.$name.stamp" 2>/dev/null) == "$stamp" ]]; then
			continue
		fi
		echo "Building $name (Kubernetes $kubernetes, etcd $etcd) into bin/controlplane, once: ${takes[$name]} on two cores" >&2
		build "$name" "$stamp"
	done
}

main "$@"
