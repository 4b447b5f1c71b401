"""The command line `circulate`. Nothing here is imported by the package itself."""
