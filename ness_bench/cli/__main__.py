from ness_bench.cli import main

main()
