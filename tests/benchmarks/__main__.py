"""All benchmarks, one table each: ``make bench``."""

from tests.benchmarks import bench_match, bench_pipeline
from tests.benchmarks.figures import print_table


def main() -> None:
    """Run and print them; figures are for people, so a missed budget is red, not an error."""
    print_table(bench_match.run(), "Matching")
    print_table(bench_pipeline.run(), "The pipeline")


main()
