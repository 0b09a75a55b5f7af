//! `qwen3 devices`

use crate::args::DevicesArgs;
use crate::error::Error;
use crate::print::print_value;
use crate::table::table;
use crate::terminal::escaped;
use qwen3_engine::{Absent, Device, Devices};
use serde_json::{Value, json};

pub fn devices(args: &DevicesArgs) -> Result<(), Error> {
    let Devices { found, absent, .. } = qwen3_engine::devices();
    let value: Value =
        found.iter().map(device_json).chain(absent.iter().map(absent_json)).collect();
    print_value(args.format, &value, || devices_table(&found, &absent))
}

fn device_json(device: &Device) -> Value {
    json!({
        "device": device.id.to_string(),
        "name": device.name,
        "kind": device.kind.to_string(),
        "driver": device.driver,
        "memory_bytes": device.memory_bytes,
        "dtypes": dtype_names(device),
    })
}

fn absent_json(absent: &Absent) -> Value {
    json!({"device": absent.name, "absent": absent.reason})
}

/// A row for each device, and a line for each that isn't here.
fn devices_table(found: &[Device], absent: &[Absent]) -> String {
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    let heading = ["device", "name", "kind", "memory", "dtypes", "driver"].map(str::to_owned);
    let mut rows = vec![heading.to_vec()];
    rows.extend(found.iter().map(|device| {
        vec![
            device.id.to_string(),
            device.name.clone(),
            device.kind.to_string(),
            device.memory_bytes.map_or("?".to_owned(), gib),
            dtype_names(device).join(" "),
            device.driver.clone().unwrap_or_default(),
        ]
    }));
    let no = |absent: &Absent| format!("no {}: {}\n", absent.name, escaped(&absent.reason));
    table(&rows) + &absent.iter().map(no).collect::<String>()
}

fn dtype_names(device: &Device) -> Vec<String> {
    device.dtypes.iter().map(ToString::to_string).collect()
}
