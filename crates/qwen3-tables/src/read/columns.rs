//! Files that hold columns: Parquet and Arrow.

use super::chunks::{CHUNK_BYTES, CHUNK_ROWS};
use super::{Problems, Read, broken};
use crate::causes::ColumnProblem;
use crate::error::TableError;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek};
use std::ops::Range;
use std::path::Path;

/// How a file of Arrow begins that isn't a stream.
const ARROW_FILE: &[u8; 6] = b"ARROW1";

pub(super) fn parquet_metadata(path: &Path) -> Result<ArrowReaderMetadata, TableError> {
    let file = File::open(path).map_err(TableError::read(path))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default());
    metadata.map_err(|source| broken(path, "Parquet file", source))
}

/// Columns whose compression isn't read here.
pub(super) fn parquet_problems(metadata: &ArrowReaderMetadata) -> Problems {
    let groups = metadata.metadata().row_groups().iter();
    let chunks = groups.flat_map(|group| group.columns());
    let wrong = chunks.filter_map(|chunk| {
        let codec = match chunk.compression() {
            Compression::BROTLI(_) => "brotli",
            Compression::LZO => "LZO",
            _ => return None,
        };
        let column = chunk.column_path().parts().first()?;
        Some((column.clone(), ColumnProblem::Compression { codec }))
    });
    wrong.collect()
}

/// The rows of a range. Row groups without any of them aren't touched.
pub(super) fn parquet_rows(
    path: &Path,
    metadata: &ArrowReaderMetadata,
    rows: Range<u64>,
    schema: &SchemaRef,
) -> Result<Read, TableError> {
    let file = File::open(path).map_err(TableError::read(path))?;
    let (mut groups, mut before, mut end) = (vec![], 0, 0);
    let (mut group_bytes, mut group_rows) = (0, 0);
    for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
        let start = end;
        end += group.num_rows().unsigned_abs();
        if start >= rows.end || end <= rows.start {
            continue;
        }
        if groups.is_empty() {
            before = rows.start - start;
        }
        groups.push(index);
        group_bytes += group.total_byte_size().unsigned_abs();
        group_rows += group.num_rows().unsigned_abs();
    }
    let fit = CHUNK_BYTES as u64 / (group_bytes / group_rows.max(1)).max(1);
    let parquet_schema = metadata.parquet_schema();
    let is_wanted = |(_, field): &(usize, &parquet::schema::types::TypePtr)| {
        schema.column_with_name(field.name()).is_some()
    };
    let roots = parquet_schema.root_schema().get_fields().iter().enumerate();
    let roots: Vec<usize> = roots.filter(is_wanted).map(|(index, _)| index).collect();
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
        .with_projection(ProjectionMask::roots(parquet_schema, roots))
        .with_row_groups(groups)
        .with_offset(before as usize)
        .with_limit((rows.end - rows.start) as usize)
        .with_batch_size((fit as usize).clamp(1, CHUNK_ROWS))
        .build();
    Ok(Box::new(reader.map_err(|source| broken(path, "Parquet file", source))?))
}

pub(super) fn arrow_schema(path: &Path) -> Result<Result<SchemaRef, ArrowError>, TableError> {
    let (file, is_stream) = open_arrow(path)?;
    Ok(match is_stream {
        true => StreamReader::try_new(file, None).map(|reader| reader.schema()),
        false => FileReader::try_new(file, None).map(|reader| reader.schema()),
    })
}

pub(super) fn arrow_rows(path: &Path) -> Result<Read, TableError> {
    let (file, is_stream) = open_arrow(path)?;
    let broken = |source| broken(path, "Arrow file", source);
    Ok(match is_stream {
        true => Box::new(StreamReader::try_new(file, None).map_err(broken)?),
        false => Box::new(FileReader::try_new(file, None).map_err(broken)?),
    })
}

/// The file from its beginning, and whether it is a stream.
fn open_arrow(path: &Path) -> Result<(BufReader<File>, bool), TableError> {
    let mut file = BufReader::new(File::open(path).map_err(TableError::read(path))?);
    let mut start = Vec::with_capacity(ARROW_FILE.len());
    let read = file.by_ref().take(ARROW_FILE.len() as u64).read_to_end(&mut start);
    read.and_then(|_| file.rewind()).map_err(TableError::read(path))?;
    Ok((file, start != ARROW_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};
    use parquet::file::properties::WriterProperties;
    use std::sync::Arc;

    fn write(path: &Path, compression: Compression) {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"; 1_000]));
        let batch = RecordBatch::try_from_iter([("text", texts)]).unwrap();
        let properties = WriterProperties::builder().set_compression(compression).build();
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn what_others_compress_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.parquet");
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(GzipLevel::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
            Compression::ZSTD(ZstdLevel::default()),
        ] {
            write(&path, compression);
            let metadata = parquet_metadata(&path).unwrap();
            assert!(parquet_problems(&metadata).is_empty(), "{compression}");
            let rows = parquet_rows(&path, &metadata, 0..1_000, metadata.schema()).unwrap();
            let rows: usize = rows.map(|batch| batch.unwrap().num_rows()).sum();
            assert_eq!(rows, 1_000, "{compression}");
        }
    }

    #[test]
    fn what_is_not_unpacked_is_told_by_the_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.parquet");
        write(&path, Compression::SNAPPY);
        // As if brotli had been used, which can't be written either.
        let metadata = parquet_metadata(&path).unwrap().metadata().as_ref().clone();
        let group = metadata.row_group(0).clone();
        let brotli = Compression::BROTLI(BrotliLevel::default());
        let column = group.column(0).clone().into_builder().set_compression(brotli);
        let group = group.into_builder().set_column_metadata(vec![column.build().unwrap()]);
        let metadata = metadata.into_builder().set_row_groups(vec![group.build().unwrap()]).build();
        let options = ArrowReaderOptions::default();
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), options).unwrap();
        let problem = parquet_problems(&metadata).remove("text").unwrap();
        assert!(problem.to_string().contains("compressed with brotli"), "{problem}");
    }
}
