DROP TABLE import_errors, import_parts, imports;
