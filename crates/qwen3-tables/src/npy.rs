//! The header of NumPy's file format.

/// Bytes of a header, whatever it says.
pub const HEADER_BYTES: usize = 128;

/// Format version 1.0: magic number, header length, a Python dictionary padded so that the data
/// begins at a multiple of 64 (numpy.lib.format). `descr` is NumPy's name of the type of a number,
/// such as `<f4`.
pub fn header(descr: &str, rows: usize, columns: usize) -> Vec<u8> {
    let fields =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    let length = HEADER_BYTES - header.len() - size_of::<u16>();
    header.extend((length as u16).to_le_bytes());
    header.extend(fields.bytes());
    header.resize(HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    header
}

/// How long a file with such a header is; `None`: it has none.
pub fn file_bytes(start: &[u8]) -> Option<u64> {
    let fields = std::str::from_utf8(start.get(10..HEADER_BYTES)?).ok()?;
    let width = match fields.split('\'').nth(3)? {
        "<f4" => 4,
        "<f2" => 2,
        "|i1" | "|u1" => 1,
        _ => return None,
    };
    let (_, shape) = fields.split_once("'shape': (")?;
    let (rows, columns) = shape.split_once(')')?.0.split_once(", ")?;
    let numbers = rows.parse::<u64>().ok()?.checked_mul(columns.parse().ok()?)?;
    numbers.checked_mul(width)?.checked_add(HEADER_BYTES as u64)
}

/// The numbers of a file of float32 `[rows, columns]`; `None`: it is no such file.
pub fn float32(bytes: &[u8], rows: usize, columns: usize) -> Option<Vec<f32>> {
    let length = u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?]) as usize;
    let fields = std::str::from_utf8(bytes.get(10..10 + length)?).ok()?;
    let fields: String = fields.split_whitespace().collect();
    let is_right = bytes.starts_with(b"\x93NUMPY\x01")
        && fields.contains("'descr':'<f4'")
        && fields.contains("'fortran_order':False")
        && fields.contains(&format!("'shape':({rows},{columns})"));
    let numbers = &bytes[10 + length..];
    let is_whole = numbers.len() == 4 * rows * columns;
    let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    (is_right && is_whole).then(|| numbers.chunks_exact(4).map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_as_long_whatever_the_numbers_and_says_so() {
        for (rows, columns) in [(0, 0), (3, 1024), (usize::MAX, usize::MAX)] {
            let header = header("<f4", rows, columns);
            assert_eq!(header.len(), HEADER_BYTES);
            let length = u16::from_le_bytes([header[8], header[9]]) as usize;
            assert_eq!(length + 10, header.len());
            let shape = format!("'shape': ({rows}, {columns}), }}");
            assert!(String::from_utf8_lossy(&header[10..]).contains(&shape));
            assert_eq!(header.last(), Some(&b'\n'));
        }
    }

    #[test]
    fn what_was_written_is_read_again_and_nothing_else() {
        let numbers = [1.0_f32, -2.5, 0.0, 3.0, 4.0, 5.0];
        let mut file = header("<f4", 2, 3);
        file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        assert_eq!(float32(&file, 2, 3).as_deref(), Some(&numbers[..]));
        assert_eq!(file_bytes(&file), Some(file.len() as u64));
        assert_eq!(file_bytes(&file[..HEADER_BYTES - 1]), None);
        assert_eq!(float32(&file, 3, 2), None);
        for end in 0..file.len() {
            assert_eq!(float32(&file[..end], 2, 3), None, "{end}");
        }
        let other = [header("<f8", 2, 3), vec![0; 24]].concat();
        assert_eq!(float32(&other, 2, 3), None);
    }
}
