"""What the project is installed from: hashed lock files, licences, bill of materials, known vulnerabilities."""
