"""Run all benchmarks and print their tables."""


def main() -> None:
    """Print one table for each benchmark."""
    print("There are no benchmarks yet.")


if __name__ == "__main__":
    main()
