"""The tests: unit/ mirrors tidegate/; integration/ needs Ray or gRPC."""
