//! `qwen3 download`

use crate::args::DownloadArgs;
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::print::print;
use crate::progress::hooks;
use crate::stop::Stop;

pub fn download(args: &DownloadArgs, stop: &Stop) -> Result<(), Error> {
    let hooks = hooks(&args.source, stop);
    let path = args.source.source(DEFAULT_MODEL).locate(&hooks)?;
    print(&format!("{}\n", path.display()))
}
