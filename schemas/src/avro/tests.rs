mod hostile;
mod mapping;
mod property;
mod schemas;
mod writing;

use serde_json::Value;

use super::*;

fn schema(value: Value) -> Schema {
    Schema::parse(&value.to_string()).unwrap()
}

fn schema_error(value: Value) -> String {
    Schema::parse(&value.to_string()).unwrap_err().to_string()
}

fn read(schema: &Schema, body: &[u8]) -> Result<Value, String> {
    decode(schema, body)
        .map(|datum| datum.value)
        .map_err(|error| error.to_string())
}

fn write(schema: &Schema, value: Value) -> Result<Vec<u8>, String> {
    encode(schema, &value).map_err(|error| error.to_string())
}

/// The other implementation.
mod theirs {
    use apache_avro::Schema;
    use apache_avro::reader::datum::GenericDatumReader;
    use apache_avro::types::Value;
    use apache_avro::writer::datum::GenericDatumWriter;

    pub fn write(schema: &Schema, value: Value) -> Vec<u8> {
        let writer = GenericDatumWriter::builder(schema).build().unwrap();
        writer.write_value_to_vec(value).unwrap()
    }

    /// What it read, and how many bytes it left.
    pub fn read(schema: &Schema, mut bytes: &[u8]) -> (Value, usize) {
        let reader = GenericDatumReader::builder(schema).build().unwrap();
        let value = reader.read_value(&mut bytes).unwrap();
        (value, bytes.len())
    }
}
