# `make` alone lists what there is. Works with GNU make 3.81 and newer.

PYTHON = python3
VENV = .venv/bin
# Node.js of this machine, else the one that set-up put into .venv
NODE_PATH = PATH="$$PATH:$(CURDIR)/$(VENV)"
# not empty where the terminal speaks Chinese
CHINESE := $(filter zh%,$(or $(LC_ALL),$(LC_MESSAGES),$(LANG)))

# the tests in three parts that run side by side: the browser's need the cores, those of processes mostly wait
BROWSER = tests/browser tests/chains tests/server/test_documents.py
PROCESSES = tests/server tests/faults

NO_PYTHON = $(if $(CHINESE),需要 Python 3.11 或更新的版本。在 Debian 和 Ubuntu 上：,Python 3.11 or newer is needed. On Debian and Ubuntu: )apt install python3-venv

.DEFAULT_GOAL := help
.PHONY: help run link test check format bench screenshots python

help: ## list what make can do | 列出 make 能做什么
	@awk -F ':.*## | [|] ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$$(if $(CHINESE),3,2) }' Makefile

run: python ## set up what is missing and serve on http://127.0.0.1:8000 | 安装缺少的部分，在 http://127.0.0.1:8000 提供服务
	@$(PYTHON) scripts/setup.py run
	@exec $(VENV)/python app.py

link: python ## print a new one-time sign-in link for the administrator | 输出新的管理员一次性登录链接
	@$(PYTHON) scripts/setup.py run
	@$(VENV)/python -m chatapp link

test: python ## set up what is missing and run every test | 安装缺少的部分，运行全部测试
	@$(PYTHON) scripts/setup.py test
	@status=0; \
	$(NODE_PATH) node --test $$(find tests/js -name '*.test.*js' | sort) || status=1; \
	echo "$(if $(CHINESE),三部分同时运行，前两部分的输出在最后显示。,Three parts run side by side; what the first two say is shown at the end.)"; \
	$(VENV)/python -m pytest $(BROWSER) > .venv/tests-1.log 2>&1 & first=$$!; \
	$(VENV)/python -m pytest tests $(BROWSER:%=--ignore=%) $(PROCESSES:%=--ignore=%) > .venv/tests-2.log 2>&1 & second=$$!; \
	$(VENV)/python -m pytest $(PROCESSES) $(BROWSER:%=--ignore=%) || status=1; \
	wait $$first || status=1; \
	wait $$second || status=1; \
	cat .venv/tests-1.log .venv/tests-2.log; \
	exit $$status

check: python ## lint, formatting, types (Python and JavaScript), architecture | 检查代码、格式、类型（Python 和 JavaScript）与架构
	@$(PYTHON) scripts/setup.py dev
	$(VENV)/python -m ruff check .
	$(VENV)/python -m ruff format --check .
	$(VENV)/python -m mypy
	$(NODE_PATH) npm run --silent check
	$(VENV)/python -m pytest -q tests/test_architecture.py tests/test_docs.py

format: python ## put the code into the form that `make check` asks for | 把代码整理成 `make check` 要求的格式
	@$(PYTHON) scripts/setup.py dev
	$(VENV)/python -m ruff check --fix .
	$(VENV)/python -m ruff format .

bench: python ## measure, and print tables | 测量并输出表格
	@$(PYTHON) scripts/setup.py dev
	@$(VENV)/python -m bench

screenshots: python ## take pictures of the page into docs/screenshots | 为页面截图，存入 docs/screenshots
	@$(PYTHON) scripts/setup.py test
	@$(VENV)/python -m tests.browser.screenshots

python:
	@command -v $(PYTHON) >/dev/null || { echo "$(NO_PYTHON)" >&2; exit 1; }
