# `make` alone lists what there is. Works with GNU make 3.81 and newer.

PYTHON = python3
VENV = .venv/bin
# Node.js of this machine, else the one that set-up installed into .venv
NODE_PATH = PATH="$$PATH:$(CURDIR)/$(VENV)"
# not empty where the terminal is Chinese
CHINESE := $(filter zh%,$(or $(LC_ALL),$(LC_MESSAGES),$(LANG)))

# Six parts of the tests run at the same time, since most of them wait. Each is one or two runs of
# pytest; those of `measure` also measure their coverage. tests/scripts/test_makefile.py checks that
# every test is in one of them.
PARTS = 1 2 3 4 5 6
part-1 = $(call run,tests/browser/test_[a-q]*.py tests/server/test_documents.py); \
	$(call run,tests/server/test_[ab]*.py)
part-2 = $(call run,tests/browser/test_[r-z]*.py); $(call run,tests/server/test_[m-o]*.py)
part-3 = $(measure-others); $(measure-scripts)
part-4 = $(measure-stores)
part-5 = $(call run,tests/server/clients tests/server/test_[c-l]*.py tests/server/test_[p-z]*.py \
	--ignore=tests/server/test_documents.py); \
	$(call run,tests/faults)
part-6 = $(measure-processes); $(measure-web)
measure-others = $(call measure,others,tests $(patsubst %,--ignore=tests/%, \
	browser faults knowledge processes scripts server storage web))
measure-scripts = $(call measure,scripts,tests/scripts)
measure-stores = $(call measure,stores,tests/knowledge tests/storage)
measure-processes = $(call measure,processes,tests/processes)
measure-web = $(call measure,web,tests/web)
run = $(LIMITED) $(1) || touch .venv/tests-failed
measure = $(LIMITED) --measure .venv/coverage-$(strip $(1)).json $(2) || touch .venv/tests-failed
# A test that hangs fails (pyproject.toml). A part that hangs before or after its tests is aborted;
# what each of its threads was doing is printed at the very end.
LIMITED = $(and $(shell command -v timeout),timeout --foreground --signal=ABRT 75m) \
	$(VENV)/python -X faulthandler -m tests
LEAST = 89 # percent of lines and branches
CAMPAIGNS = kills resumes stops locks streams readings mutants disks hosts described

NO_PYTHON_EN = Python 3.11 or newer is required. On Debian and Ubuntu: apt install python3-venv
NO_PYTHON_ZH = 需要 Python 3.11 或更高版本。在 Debian 和 Ubuntu 上：apt install python3-venv
NO_PYTHON = $(if $(CHINESE),$(NO_PYTHON_ZH),$(NO_PYTHON_EN))

.DEFAULT_GOAL := help
.PHONY: help run link test coverage check format soak bench corpus try-real screenshots python

help: ## list all targets | 列出所有命令
	@awk -F ':.*## | [|] ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$$(if $(CHINESE),3,2) }' Makefile

run: python ## set up if necessary, then serve on http://127.0.0.1:8000 | 启动服务（首次运行会自动安装）：http://127.0.0.1:8000
	@$(PYTHON) scripts/setup.py run
	@exec $(VENV)/python app.py

link: python ## print a new one-time sign-in link for the administrator | 生成新的管理员登录链接（一次有效）
	@$(PYTHON) scripts/setup.py run
	@$(VENV)/python -m chatapp link

test: python ## run all tests | 运行全部测试
	@$(PYTHON) scripts/setup.py test
	@rm -f .venv/tests-* .venv/coverage-*.json
	@$(NODE_PATH) node --test $$(find tests/js -name '*.test.*js' | sort) || touch .venv/tests-failed
	@echo "$(if $(CHINESE),六组测试同时运行，其中五组的输出在结束时显示。,Six parts run at the same time; five of them print at the end.)"
	@$(foreach part,$(wordlist 2,6,$(PARTS)),{ $(part-$(part)); } > .venv/tests-$(part).log 2>&1 & ) \
	{ $(part-1); } 2>&1 | tee .venv/tests-1.log; wait
	@cat $(patsubst %,.venv/tests-%.log,$(wordlist 2,6,$(PARTS)))
	@test ! -e .venv/tests-failed || { grep -hE '^(FAILED|ERROR) ' .venv/tests-*.log; \
		for part in .venv/tests-*.log; do \
			sed -nE '/^(Fatal Python error: Aborted|Timeout \(0:)/,$$p' $$part | grep -Ev '/(_pytest|pluggy)/' | tail -n 60; \
		done; exit 1; }

# GATHERED=yes reports what the last `make test` has measured
coverage: python ## run the in-process tests and report their coverage | 运行进程内测试并统计覆盖率
	@$(PYTHON) scripts/setup.py test
	$(if $(GATHERED),,@rm -f .venv/tests-failed .venv/coverage-*.json; $(measure-others); \
		$(measure-scripts); $(measure-stores); $(measure-processes); $(measure-web); \
		test ! -e .venv/tests-failed)
	@$(VENV)/python -m slipcover --skip-covered --fail-under $(LEAST) --out .venv/coverage.json \
		--merge .venv/coverage-*.json

check: python ## lint, formatting, types, architecture, documents | 检查代码规范、格式、类型、架构和文档
	@$(PYTHON) scripts/setup.py dev
	$(VENV)/python -m ruff check .
	$(VENV)/python -m ruff format --check .
	$(VENV)/python -m mypy
	$(NODE_PATH) npm run --silent check
	$(VENV)/python -m pytest -q tests/test_architecture.py tests/test_docs.py

format: python ## fix lint and formatting where possible | 自动修正代码规范和格式
	@$(PYTHON) scripts/setup.py dev
	$(VENV)/python -m ruff check --fix .
	$(VENV)/python -m ruff format .

soak: python ## repeat kills, stops and reconnects, read random streams and damaged files, for an hour or more | 反复结束进程、停止回答、重新连接，并读取随机数据流和损坏的文件，持续一小时以上
	@$(PYTHON) scripts/setup.py test
	@status=0; for name in $(CAMPAIGNS); do \
	$(VENV)/python -m tests.faults.$$name || status=1; done; exit $$status

bench: python ## run the benchmarks and print tables | 运行性能测试并输出结果表
	@$(PYTHON) scripts/setup.py dev
	@$(VENV)/python -m bench

# `make corpus DIR` as well as `make corpus DIR=…`; NAMES="…" reads only some of its files
ifeq (corpus,$(firstword $(MAKECMDGOALS)))
DIR ?= $(word 2,$(MAKECMDGOALS))
.PHONY: $(DIR)
$(DIR): ;@:
endif

corpus: python ## read all files of a folder (DIR) and print what came of them | 读取一个文件夹（DIR）中的所有文件并输出结果
	@$(PYTHON) scripts/setup.py run
	@$(VENV)/python -m bench.corpus "$(DIR)" $(NAMES)

try-real: python ## ask a real model on llama.cpp's server (builds it first) | 用 llama.cpp 服务器上的真实模型试用（首次需要编译）
	@$(PYTHON) scripts/setup.py dev
	@$(VENV)/python -m bench.real

screenshots: python ## save screenshots of the page in docs/screenshots | 把页面截图存入 docs/screenshots
	@$(PYTHON) scripts/setup.py test
	@$(VENV)/python -m tests.browser.screenshots

python:
	@command -v $(PYTHON) >/dev/null || { echo "$(NO_PYTHON)" >&2; exit 1; }
