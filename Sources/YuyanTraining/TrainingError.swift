import Foundation

/// Why a run cannot start, go on or save: one sentence.
public struct TrainingError: Error, CustomStringConvertible, Sendable, Hashable {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// What the operating system said, where it said something; otherwise the error itself.
func systemReason(_ error: any Error) -> String {
    if !(error is POSIXError || error is CocoaError || type(of: error) is NSError.Type) { return "\(error)" }
    var cause = error as NSError
    while cause.domain != NSPOSIXErrorDomain, let inner = cause.userInfo[NSUnderlyingErrorKey] as? NSError { cause = inner }
    if cause.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(cause.code))) }
    // Foundation keeps the number to itself here.
    if (error as? CocoaError)?.code == .fileWriteOutOfSpace { return String(cString: strerror(ENOSPC)) }
    return cause.localizedFailureReason ?? cause.localizedDescription
}
