# SPDX-License-Identifier: Apache-2.0
#
# The tests: each kind adds its programs in a build.mk of its own; tests/check runs the suites.

-include $(wildcard tests/*/build.mk)

.PHONY: check check-debug check-kernels soak

check: deps-check
	tests/check

check-debug: deps-debug
	tests/check guest-debug guest-kcsan

check-kernels: deps-check
	tests/check kernel-6.12 kernel-newest

soak: deps-check all
	tests/check soak
