# Dinhdanh. `make` prints what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
PORT ?= 8000
export PORT

help:  ## In bảng này / this table
	@awk 'BEGIN {FS = ":.*##"} /^[a-z-]+:.*##/ {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup:  ## Cài .venv (chỉ khi cần) / install .venv, only when needed
	@scripts/setup

setup-dev:
	@scripts/setup dev

demo: setup  ## Chạy thử với tỉnh mẫu / the sample province on PORT (default 8000)
	@exec $(BIN)/python -m examples.demo.run

demo-reset: setup  ## Xóa dữ liệu chạy thử rồi chạy lại từ đầu / forget the demo's data and start afresh
	@exec $(BIN)/python -m examples.demo.run --reset

story: setup  ## Xem một lần điều động từ đầu đến cuối / watch one transfer end to end
	@exec $(BIN)/python -m examples.demo.story

test: setup-dev  ## Kiểm thử và check / the checks and the tests
	@scripts/test-services
	@scripts/with-postgresql scripts/test

test-quick: setup-dev  ## Kiểm thử nhanh, chỉ SQLite, không máy chủ / in a minute: SQLite alone, no servers
	@scripts/test quick

test-slow: setup-dev  ## Kiểm thử với sự cố, máy chủ, ứng dụng của bên khác / faults, others' servers and clients
	@scripts/test-services slow
	@scripts/with-postgresql scripts/test slow

test-long: setup-dev  ## Mọi cặp, mọi lịch (chạy tay) / every pair and every schedule, by hand
	@scripts/test-services slow
	@scripts/with-postgresql scripts/test long

pictures: setup-dev  ## Chụp lại ảnh trong tài liệu / take the documents' pictures again
	@PICTURES=docs/images/signing-in $(BIN)/pytest -q tests/browser/test_walkthrough.py tests/browser/test_certificates.py

bench: setup-dev  ## Đo chi phí mỗi thao tác / what one operation costs, also AGAINST=REV PEER=node; writes docs/performance.md
	@$(if $(PEER),scripts/test-node bench/node)
	@scripts/with-postgresql $(BIN)/python -m bench $(foreach r,$(AGAINST),--against $(r)) $(foreach p,$(PEER),--peer $(p))

check: setup-dev  ## Định dạng, lint, kiểu, tầng / format, lint, types, layers
	@scripts/check

format: setup-dev  ## Định dạng lại mã / reformat the code
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

migration: setup-dev  ## Bản nâng cấp từ mã: make migration m="…" / a revision from the tables in the code
	@[ -n "$(m)" ] || { echo 'make migration m="What it does"' >&2; exit 2; }
	@$(BIN)/python -m idp.run.migrate "$(m)"
	@$(BIN)/ruff format -q directory/migrations/versions

lock:  ## Khóa lại phiên bản thư viện (cần uv) / lock the dependencies again (needs uv)
	@command -v uv >/dev/null || { echo "Thiếu / missing: uv   (pip install uv)" >&2; exit 2; }
	@uv pip compile -q pyproject.toml --extra demo --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements.lock
	@uv pip compile -q pyproject.toml --extra demo --extra dev --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements-dev.lock
	@uv pip compile -q --group native -c requirements.lock --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements-native.lock

.PHONY: help setup setup-dev demo demo-reset story test test-quick test-slow test-long pictures bench check format migration lock
