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

programs="etcd kube-apiserver kube-controller-manager kubectl"

package_of() {
	case $1 in
	etcd) echo go.etcd.io/etcd/server/v3 ;;
	*) echo "k8s.io/kubernetes/cmd/$1" ;;
	esac
}

# Measured on two cores with an empty build cache, in the order in which they are built: kube-apiserver
# comes first and compiles most of what the others share.
minutes_of() {
	case $1 in
	kube-apiserver) echo "5 to 7 minutes" ;;
	kube-controller-manager) echo "2 minutes" ;;
	*) echo "half a minute" ;;
	esac
}

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

# Compiling is silent for minutes, and downloading names some 200 modules; a line every 100 packages shows
# that it goes on. What is neither is an error, and shown.
show_progress() {
	local line modules=0 packages=0
	while IFS= read -r line; do
		case $line in
		"go: downloading "*)
			((modules++ > 0)) || echo "    downloading modules" >&2
			;;
		*" "*)
			echo "$line" >&2
			;;
		*)
			packages=$((packages + 1))
			((packages % 100)) || echo "    $packages packages compiled, ${SECONDS}s" >&2
			;;
		esac
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
	(cd "$here" && CGO_ENABLED=0 go build -v -ldflags "$flags" -o "$out/.$name.$$" "$(package_of "$name")") 2>&1 | show_progress
	# Renamed when complete, so that a build that was interrupted or ran twice leaves no half program.
	mv "$out/.$name.$$" "$out/$name"
	echo "$stamp" >"$out/.$name.stamp"
	echo "  $name built in ${SECONDS}s" >&2
}

main() {
	if (($# == 0)); then
		echo "usage: $0 PROGRAM..., of: $programs" >&2
		exit 2
	fi
	local name stamp
	for name in "$@"; do
		if [[ " $programs " != *" $name "* ]]; then
			echo "$0: unknown program $name; known are: $programs" >&2
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
		echo "Building $name (Kubernetes $kubernetes, etcd $etcd) into bin/controlplane, once: $(minutes_of "$name") on two cores" >&2
		build "$name" "$stamp"
	done
}

main "$@"
