# `make` alone lists what there is. Works with GNU make 3.81 and newer.

PYTHON = python3
VENV = .venv/bin
# Node.js of this machine, else the one that set-up installed into .venv
NODE_PATH = PATH="$$PATH:$(CURDIR)/$(VENV)"
# not empty where the terminal is Chinese
CHINESE := $(filter zh%,$(or $(LC_ALL),$(LC_MESSAGES),$(LANG)))

# Four parts of the tests run at the same time: those with a browser need the cores, those with
# processes mostly wait, and all others also measure their coverage.
# A part that has ended goes on with later ones of another, so that all end at about the same time.
LATER_BROWSER = $(wildcard tests/browser/test_[r-z]*.py)
LATER_PROCESSES = $(wildcard tests/server/test_[m-o]*.py)
LAST_PROCESSES = $(wildcard tests/server/test_[ab]*.py tests/server/test_[p-z]*.py)
BROWSER = tests/browser tests/server/test_documents.py
PROCESSES = tests/server --ignore=tests/server/test_documents.py
STORES = tests/knowledge tests/scripts tests/storage
HELPERS = tests/processes
# A test that hangs fails (pyproject.toml). A part that hangs before or after its tests is aborted;
# what each of its threads was doing is printed at the very end.
LIMITED = $(and $(shell command -v timeout),timeout --foreground --signal=ABRT 75m) \
	$(VENV)/python -X faulthandler -m tests
MEASURED = $(LIMITED) --measure .venv/coverage-
LEAST = 89 # percent of lines and branches
OTHERS = tests $(patsubst %,--ignore=%,$(BROWSER) tests/server tests/faults $(STORES) $(HELPERS))
CAMPAIGNS = kills resumes stops locks streams readings mutants disks described

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
	@rm -f .venv/tests-*.log .venv/tests-failed .venv/coverage-*.json
	@status=0; \
	$(NODE_PATH) node --test $$(find tests/js -name '*.test.*js' | sort) || status=1; \
	echo "$(if $(CHINESE),四组测试同时运行，其中三组的输出在结束时显示。,Four parts run at the same time; three of them print at the end.)"; \
	{ $(LIMITED) $(BROWSER) $(LATER_BROWSER:%=--ignore=%) || touch .venv/tests-failed; \
		$(LIMITED) $(LAST_PROCESSES); } > .venv/tests-1.log 2>&1 & first=$$!; \
	{ $(MEASURED)1.json $(STORES) || touch .venv/tests-failed; \
		$(LIMITED) tests/faults; } > .venv/tests-2.log 2>&1 & second=$$!; \
	{ $(MEASURED)2.json $(OTHERS) || touch .venv/tests-failed; \
		$(LIMITED) $(LATER_PROCESSES); } > .venv/tests-3.log 2>&1 & third=$$!; \
	{ $(LIMITED) $(PROCESSES) $(patsubst %,--ignore=%,$(LATER_PROCESSES) $(LAST_PROCESSES)) || touch .venv/tests-failed; \
		$(LIMITED) $(LATER_BROWSER) || touch .venv/tests-failed; \
		$(MEASURED)3.json $(HELPERS) || touch .venv/tests-failed; } 2>&1 | tee .venv/tests-4.log; \
	for part in $$first $$second $$third; do wait $$part || status=1; done; \
	test ! -e .venv/tests-failed || status=1; \
	cat .venv/tests-1.log .venv/tests-2.log .venv/tests-3.log; \
	test $$status = 0 || { grep -hE '^(FAILED|ERROR) ' .venv/tests-*.log; \
		for part in .venv/tests-*.log; do \
			sed -nE '/^(Fatal Python error: Aborted|Timeout \(0:)/,$$p' $$part | grep -Ev '/(_pytest|pluggy)/' | tail -n 60; \
		done; }; \
	exit $$status

# GATHERED=yes reports what the last `make test` has measured
coverage: python ## run the in-process tests and report their coverage | 运行进程内测试并统计覆盖率
	@$(PYTHON) scripts/setup.py test
	$(if $(GATHERED),,$(MEASURED)1.json $(STORES) && $(MEASURED)2.json $(OTHERS) && \
		$(MEASURED)3.json $(HELPERS))
	@$(VENV)/python -m slipcover --skip-covered --fail-under $(LEAST) --out .venv/coverage.json \
		--merge .venv/coverage-1.json .venv/coverage-2.json .venv/coverage-3.json

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
