"""All benchmarks, one table each: ``make bench``."""

from tests.benchmarks import bench_channels, bench_match, bench_pipeline, bench_retention, bench_status
from tests.benchmarks.figures import print_table


def main() -> None:
    """Run and print them; figures are for people, so a missed budget is red, not an error."""
    print_table(bench_match.run(), "Matching")
    print_table(bench_pipeline.run(), "The pipeline")
    print_table(bench_channels.run(), "Healthy channels beside channels that hang")
    print_table(bench_status.run(), "overheard status, with 100,000 workspaces")
    print_table(bench_retention.run(), "Retention and rechecks, with a million items")


main()
