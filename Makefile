# make help
VENV := .venv
# A recorded host that has faults: a capture that `sctune doctor --from` reads.
# Tests of this machine's own devices and processes (tests/live) go one after another in one process, and the others beside them.
# Processes have to collect the same tests in the same order: hence one seed for the order of sets. A test machine has one processor.
SIDE_BY_SIDE := --numprocesses 2 --dist loadgroup --durations 25 --durations-min 2
EXAMPLE ?= tests/scenarios/storage-controller-faults/host.tar.gz

.PHONY: help doctor test test-all scenarios docs script check format bench deb vm vm-list clean

help:
	@echo 'make doctor   install into $(VENV), examine this host, then a recorded example host that has faults'
	@echo 'make test     install what the tests need, then run ruff, mypy and the tests (20 minutes)'
	@echo 'make test-all the same, and every fault of a storage host alone and in pairs (hours)'
	@echo 'make scenarios capture the hosts of tests/vm anew'
	@echo 'make docs     write what of docs/ is made from the program: codes, commands, metrics'
	@echo 'make check    ruff and mypy alone'
	@echo 'make format   let ruff put the code in form'
	@echo 'make bench    benchmarks, side by side with what an operator types instead (root)'
	@echo 'make deb      a package for Debian, Ubuntu and the like, in dist/'
	@echo 'make vm       a shell in a storage host under QEMU; BACKEND=name, FAULT=name or SYSTEMD=1 (make vm-list names them)'
	@echo 'make clean    remove what was made here'

$(VENV)/.sctune: pyproject.toml constraints.txt
	@.ci/venv $(VENV)
	@touch $@

$(VENV)/.sctune-test: pyproject.toml constraints.txt
	@.ci/venv $(VENV) '[test]'
	@touch $@ $(VENV)/.sctune

# The exit code is the host's state: 0 fine, 1 findings, 3 not everything could be examined. Only others are a failure of make.
doctor: $(VENV)/.sctune
	@echo '=== This host: sctune doctor'
	@echo
	@$(VENV)/bin/sctune doctor; code=$$?; echo "(exit code $$code)"; case $$code in 0|1|3) ;; *) exit $$code;; esac
	@echo
	@echo '=== A recorded host with faults: sctune doctor --from $(EXAMPLE)'
	@echo
	@$(VENV)/bin/sctune doctor --from '$(EXAMPLE)'; code=$$?; echo "(exit code $$code)"; case $$code in 0|1|3) ;; *) exit $$code;; esac

test: check
	@.ci/debian-packages
	PYTHONHASHSEED=0 $(VENV)/bin/python -m pytest -m 'not vm and not thorough' $(SIDE_BY_SIDE)
	PYTHONHASHSEED=0 $(VENV)/bin/python -m pytest tests/vm -m 'vm and not thorough' $(SIDE_BY_SIDE)

test-all: test
	PYTHONHASHSEED=0 $(VENV)/bin/python -m pytest -m 'thorough and not vm' $(SIDE_BY_SIDE)
	PYTHONHASHSEED=0 $(VENV)/bin/python -m pytest tests/vm -m 'vm and thorough' $(SIDE_BY_SIDE)

scenarios: $(VENV)/.sctune-test
	$(VENV)/bin/python -m pytest -m vm --update-scenarios $(SIDE_BY_SIDE) tests/vm
	$(VENV)/bin/python -m tests.scenarios.operator_notes
	$(VENV)/bin/python -m pytest --update-golden tests/scenarios

check: $(VENV)/.sctune-test
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

docs: $(VENV)/.sctune-test
	@$(VENV)/bin/python -m tests.codepages
	@$(VENV)/bin/python -m tests.commandpages
	@$(VENV)/bin/python -m tests.exporterdocs

script: $(VENV)/.sctune-test
	@$(VENV)/bin/python -m sctune.script.kept

format: $(VENV)/.sctune-test
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

bench: $(VENV)/.sctune-test
	$(VENV)/bin/python bench/startup.py
	$(VENV)/bin/python bench/growth.py
	$(VENV)/bin/python bench/tuning.py
	$(VENV)/bin/python bench/doctor.py
	$(VENV)/bin/python bench/apply.py
	$(VENV)/bin/python bench/vm.py
	$(VENV)/bin/python bench/exporter_growth.py
	$(VENV)/bin/python bench/exporter.py
	$(VENV)/bin/python bench/exporter_lvm.py
	$(VENV)/bin/python bench/ssh.py

deb:
	@packaging/deb/build

# Neither this nor the next needs what the tests need: somebody who looks at sctune for the first time waits for it.
vm: $(VENV)/.sctune
	@.ci/debian-packages vm >&2
	@$(VENV)/bin/python -m tests.vm.shell $(if $(SYSTEMD),--systemd) $(if $(BACKEND),--backend '$(BACKEND)') $(if $(FAULT),--fault '$(FAULT)')

vm-list: $(VENV)/.sctune
	@$(VENV)/bin/python -m tests.vm.shell --list

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
