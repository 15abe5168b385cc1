# SPDX-License-Identifier: Apache-2.0
#
# make deps         what the project needs from Debian; deps-check, deps-demo, deps-debug: for that target alone

.PHONY: deps deps-build deps-check deps-demo deps-debug
deps:
	@tools/deps all
deps-build deps-check deps-demo deps-debug: deps-%:
	@tools/deps $*

include tools/shmipcctl/build.mk
