--- The release of this library, as semantic versioning has it.
return "0.1.0"
