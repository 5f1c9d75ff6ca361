"""One Prefect flow a file, and the `cousins` command."""
