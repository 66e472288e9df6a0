"""How the world reaches Tidegate: gRPC services, the client SDK, the command line."""
